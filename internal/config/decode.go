package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Load decodes and validates what `pulumi config` holds below
// Namespace. Every fault is reported, each with its key, its value and what is
// allowed; no fault means that the configuration as such can be deployed.
func Load(raw map[string]string) (Config, error) {
	cfg, err := Decode(raw)
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// platformSecrets are the flat keys that may hold own values, to be set by
// `pulumi config set --secret`. Their comments are in docs/configuration.md.
var platformSecrets = []string{
	// The key that the application signs its tokens with
	// (`JWT_SECRET_KEY_FILE`), at least 32 bytes. Not set: 64 random letters and
	// digits.
	"jwtSecretKey",
	// The password of the admin pages (`ADMIN_PASSWORD_FILE`), at least 8 bytes.
	// Not set: 24 random letters and digits.
	"adminPassword",
	// The database's URL where it has a password (`DATABASE_URL`, and the file
	// `DATABASE_URL_FILE`). Goes before `backend.databaseUrl`; allowed is the same.
	"databaseUrl",
	// The certificate chain in PEM form, where `nginx.tls.mode` is given. Goes
	// before the file `nginx.tls.certificate`.
	"tlsCertificate",
	// Its private key in PEM form. Goes before the file `nginx.tls.key`.
	"tlsKey",
	// What the CA that `nginx.tls.acme.eab` names calls the account there, and the key that
	// it gives for that, in base64url.
	"acmeEabKeyId",
	"acmeEabHmac",
	// What `nginx.tls.acme.dns` lets change the names' zone: with cloudflare an API token that
	// may edit the zone's DNS, and no more.
	"acmeDnsToken",
	// The same for alidns (AccessKey ID and secret) and tencentcloud (SecretId and SecretKey).
	"acmeDnsKeyId",
	"acmeDnsKey",
	// The password of Grafana's user `admin`, at least 8 bytes. Not set: 24 random
	// letters and digits.
	"grafanaPassword",
	// The password of the application's account in Valkey, which is in its `REDIS_URL`, at
	// least 16 bytes. Not set: 32 random letters and digits.
	"cachePassword",
	// The key that nightly backups are encrypted with, at least 16 bytes. Not set: 43 random
	// letters and digits, which are lost with the stack's state: `make backup-key` keeps them here.
	"backupKey",
	// The secret of `backup.accessKey`, or the password of an SFTP server.
	"backupSecret",
	// The private key for an SFTP server, in OpenSSH's form and without a passphrase.
	"backupSshKey",
	// The password for a rest-server.
	"backupFilesSecret",
	// Where alerts are sent to, as Alertmanager's own JSON. Not set: nowhere.
	"alertWebhookUrl",
	// The address of a WeCom (企业微信) group robot that alerts go to.
	"alertWecomUrl",
	// The address of a DingTalk (钉钉) group robot that alerts go to.
	"alertDingtalkUrl",
	// The address of a Feishu (飞书) or Lark group robot that alerts go to.
	"alertFeishuUrl",
	// The password for `monitoring.alerts.email.smarthost`.
	"alertEmailPassword",
}

// IsSecret is true for a key that holds a secret, or holds nothing that this
// program knows: every key that is no part of the tree.
func IsSecret(key string) bool {
	_, isTree := fieldByKey(reflect.TypeFor[Config](), key)
	return !isTree
}

// TakesSecret is true for a key that may be given along with a configuration that
// lists these secrets.
func TakesSecret(key string, listed []string) bool {
	return !IsSecret(key) || slices.Contains(platformSecrets, key) || slices.Contains(listed, key)
}

// Decode decodes it alone: for who looks at a part of it, or has no secrets.
func Decode(raw map[string]string) (Config, error) {
	cfg := Defaults()
	cfg.Secrets = map[string]string{}
	tree := map[string]json.RawMessage{}
	flat := map[string]string{}
	for key, value := range raw {
		name, mine := strings.CutPrefix(key, Namespace+":")
		if !mine {
			continue
		}
		if _, isTree := fieldByKey(reflect.TypeFor[Config](), name); isTree {
			tree[name] = asJSON(value)
			continue
		}
		flat[name] = value
	}
	d := decoder{}
	d.object(reflect.ValueOf(&cfg).Elem(), "", tree)
	for name, value := range flat {
		if !slices.Contains(platformSecrets, name) && !slices.Contains(cfg.listedSecrets(), name) {
			d.add(unknownKey("", name, append(keys(reflect.TypeFor[Config]()), platformSecrets...)))
			continue
		}
		cfg.Secrets[name] = value
	}
	return cfg, d.err()
}

// asJSON takes a configuration value as Pulumi passes it on: objects, lists,
// numbers and booleans are JSON already, a plain string is bare.
func asJSON(value string) json.RawMessage {
	if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") || value == "true" || value == "false" {
		return json.RawMessage(value)
	}
	quoted, _ := json.Marshal(value) // a string always marshals
	return quoted
}

type decoder struct{ faults []error }

func (d *decoder) add(err error) { d.faults = append(d.faults, err) }

func (d *decoder) err() error {
	slices.SortFunc(d.faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(d.faults...)
}

// object fills the fields of a struct from the members of a JSON object.
func (d *decoder) object(target reflect.Value, path string, members map[string]json.RawMessage) {
	for name, data := range members {
		field, ok := fieldByKey(target.Type(), name)
		if !ok {
			d.add(unknownKey(path, name, keys(target.Type())))
			continue
		}
		d.value(target.FieldByIndex(field.Index), field, join(path, name), data)
	}
}

func (d *decoder) value(target reflect.Value, field reflect.StructField, path string, data json.RawMessage) {
	if target.Kind() == reflect.Struct {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(data, &members); err != nil || members == nil {
			d.add(Fault{Namespace, path, text(data), "an object with the keys " + strings.Join(keys(target.Type()), ", ")})
			return
		}
		d.object(target, path, members)
		return
	}
	if _, several := EntryOf(target.Type()); several {
		d.entries(target, field, path, data)
		return
	}
	if err := leaf(target, data); err != nil {
		d.add(Fault{Namespace, path, text(data), field.Tag.Get("allowed")})
	}
}

// leaf decodes a value that is no object of ours, and refuses null, which
// encoding/json would take for "leave it as it is".
func leaf(target reflect.Value, data json.RawMessage) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return errors.New("null")
	}
	if target.Type() == reflect.TypeFor[time.Duration]() {
		var written string
		if err := json.Unmarshal(data, &written); err != nil {
			return err
		}
		parsed, err := time.ParseDuration(written)
		target.SetInt(int64(parsed))
		return err
	}
	if target.Type() == reflect.TypeFor[map[string]string]() {
		texts, err := scalars(data)
		target.Set(reflect.ValueOf(texts))
		return err
	}
	return json.Unmarshal(data, target.Addr().Interface())
}

// scalars reads a map whose values are texts for whoever gets them. `pulumi
// config set --path` makes numbers and booleans of what looks like one.
func scalars(data json.RawMessage) (map[string]string, error) {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a number is taken as it is written
	if err := decoder.Decode(&members); err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for name, value := range members {
		switch value.(type) {
		case string, json.Number, bool:
			texts[name] = fmt.Sprint(value)
		default:
			return nil, fmt.Errorf("%s is no text", name)
		}
	}
	return texts, nil
}

// Fault is one thing that is wrong with the configuration.
type Fault struct{ Namespace, Key, Value, Allowed string }

func (f Fault) Error() string {
	return fmt.Sprintf("%s:%s: %s is not allowed; allowed: %s", f.Namespace, f.Key, f.Value, f.Allowed)
}

func unknownKey(path, name string, known []string) error {
	slices.Sort(known)
	return fmt.Errorf("%s:%s: there is no such key; allowed: %s", Namespace, join(path, name), strings.Join(known, ", "))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func text(data json.RawMessage) string { return string(bytes.TrimSpace(data)) }

func fieldByKey(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if key != "" && t.Field(i).Tag.Get("key") == key {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("key"); key != "" {
			names = append(names, key)
		}
	}
	return names
}

// allowed finds the words of a key's tag, so that a value that is refused by
// Validate reads the same as one that is refused by the decoder.
func allowed(path string) string {
	t := reflect.TypeFor[Config]()
	var field reflect.StructField
	for name := range strings.SplitSeq(path, ".") {
		if entry, several := EntryOf(t); several {
			t = entry.Type() // the name is the user's own
			continue
		}
		var ok bool
		if field, ok = fieldByKey(t, name); !ok {
			panic("config: no key " + path) // a typing error of ours, found by the first test
		}
		t = field.Type
	}
	return field.Tag.Get("allowed")
}
