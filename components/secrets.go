package components

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/part"
)

// credentials is the component of all generated secrets that name no other.
const credentials = "credentials"

// declareSecret declares what is generated of a secret. A value that is set with `pulumi
// config set --secret` goes before it; it is declared also then: going back to the generated
// value is then going back to the same one.
func (r *realised) declareSecret(s part.Secret) error {
	if s.Length > 0 || s.Bytes > 0 {
		component, name := s.Component, s.Resource
		if component == "" {
			component, name = credentials, credentials+"-"+hyphenated(s.Name)
		}
		parent, err := r.component(component)
		if err != nil {
			return err
		}
		generated, err := r.generate(s, name, pulumi.Parent(parent))
		if err != nil {
			return err
		}
		r.secrets.set(s.Name, generated)
	}
	if s.Given != "" { // secret, whatever the stack file says of it
		r.secrets.set(s.Name, pulumi.ToSecret(pulumi.String(s.Given)).(pulumi.StringOutput))
	}
	return nil
}

func (r *realised) generate(s part.Secret, name string, parent pulumi.ResourceOption) (pulumi.StringOutput, error) {
	if s.Bytes > 0 {
		seed, err := random.NewRandomBytes(r.ctx, name, &random.RandomBytesArgs{Length: pulumi.Int(s.Bytes), Keepers: keepers(s)}, parent, pulumi.AdditionalSecretOutputs([]string{"hex", "base64"}))
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		return seed.Hex, nil
	}
	args := &random.RandomPasswordArgs{
		Length:  pulumi.Int(s.Length),
		Special: pulumi.Bool(false), // so that it survives every shell and form
		Keepers: keepers(s),
	}
	password, err := random.NewRandomPassword(r.ctx, name, args, parent, pulumi.AdditionalSecretOutputs([]string{"result"}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return password.Result, nil
}

// keepers are another for another generation. The first has none: a stack that is older than them
// keeps its secrets.
func keepers(s part.Secret) pulumi.StringMapInput {
	if s.Version == 0 {
		return nil
	}
	return pulumi.StringMap{"version": pulumi.String(strconv.Itoa(s.Version))}
}

// hyphenated is a configuration's key as the name of a resource: jwtSecretKey is
// jwt-secret-key.
func hyphenated(key string) string {
	var name strings.Builder
	for _, letter := range key {
		if unicode.IsUpper(letter) {
			name.WriteByte('-')
			letter = unicode.ToLower(letter)
		}
		name.WriteRune(letter)
	}
	return name.String()
}
