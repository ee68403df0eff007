package part

// Text is what a file holds: it is known, or made of what is known later.
type Text struct {
	text     string
	secrets  []string
	services []string
	make     func(Later) (string, error)
}

// Later is what a text is made of.
type Later struct {
	// Secrets are the values of secrets, by their names.
	Secrets map[string]string
	// Replicas are those of services, by their names.
	Replicas map[string]Replicas
}

// Replicas are a service's.
type Replicas struct {
	// Hosts are their DNS names, and Addresses where they were found when they were made.
	Hosts, Addresses []string
}

// Plain is a text that is known.
func Plain(text string) Text { return Text{text: text} }

// Made is a text that is made of secrets and of the replicas of services. It is no secret by
// that: who makes it leaves them out, or makes something of them that
// tells nothing.
func Made(secrets, services []string, make func(Later) (string, error)) Text {
	return Text{secrets: secrets, services: services, make: make}
}

// Known is the text, where it is known.
func (t Text) Known() (text string, known bool) { return t.text, t.make == nil }

// Secrets are the names of those that it is made of, and Services those of services.
func (t Text) Secrets() []string { return t.secrets }

// Services is explained at Secrets.
func (t Text) Services() []string { return t.services }

// Make makes the text.
func (t Text) Make(of Later) (string, error) { return t.make(of) }
