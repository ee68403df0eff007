package target

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// Replica is what litestream is told of a target, in the words of its configuration file.
type Replica struct {
	Type           string `yaml:"type"`
	Path           string `yaml:"path"`
	Bucket         string `yaml:"bucket,omitempty"`
	Endpoint       string `yaml:"endpoint,omitempty"`
	Region         string `yaml:"region,omitempty"`
	AccessKey      string `yaml:"access-key-id,omitempty"`
	SecretKey      string `yaml:"secret-access-key,omitempty"`
	Host           string `yaml:"host,omitempty"`
	User           string `yaml:"user,omitempty"`
	Password       string `yaml:"password,omitempty"`
	KeyPath        string `yaml:"key-path,omitempty"`
	HostKey        string `yaml:"host-key,omitempty"`
	WebDAVURL      string `yaml:"webdav-url,omitempty"`
	WebDAVUser     string `yaml:"webdav-username,omitempty"`
	WebDAVPassword string `yaml:"webdav-password,omitempty"`
}

// Litestream is the history with this number, from 1 on, for litestream.
func (t Target) Litestream(n int) Replica {
	c := t.Credentials
	r := Replica{Type: string(t.Kind), Path: t.below("db-" + strconv.Itoa(n))}
	switch t.Kind {
	case S3:
		r.Bucket, r.Endpoint, r.Region, r.AccessKey, r.SecretKey = t.Bucket, t.Endpoint, t.Region, c.AccessKey, c.Secret
	case SFTP:
		r.Host, r.User, r.Password, r.KeyPath, r.HostKey = t.Host, t.User, c.Secret, c.SSHKey, c.HostKey
	case WebDAV:
		r.Type, r.WebDAVURL, r.WebDAVUser, r.WebDAVPassword = "webdav", "https://"+t.Host, c.AccessKey, c.Secret
	default:
		r.Type = "file"
	}
	return r
}

// Restic is the repository's address for restic, and the variables with what opens it: of
// restic alone, as they hold secrets. The repository's own key is not among them.
func (t Target) Restic() (repository string, env map[string]string) {
	c := t.Credentials
	switch t.Kind {
	case S3:
		endpoint := t.Endpoint
		if endpoint == "" {
			endpoint = "https://s3.amazonaws.com"
		}
		env = map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKey, "AWS_SECRET_ACCESS_KEY": c.Secret}
		if t.Region != "" {
			env["AWS_DEFAULT_REGION"] = t.Region
		}
		return "s3:" + strings.TrimSuffix(endpoint, "/") + "/" + path.Join(t.Bucket, t.below("restic")), env
	case SFTP:
		// What follows the first slash is the path: of a server it begins in one.
		u := url.URL{Scheme: "sftp", User: url.User(t.User), Host: t.Host, Path: "/" + t.below("restic")}
		return u.String(), nil
	case Rest:
		// The path is the repository, as the server's users have one each.
		if c.FilesSecret != "" {
			env = map[string]string{"RESTIC_REST_PASSWORD": c.FilesSecret, "RESTIC_REST_USERNAME": t.User}
		}
		return "rest:https://" + t.Host + t.Path + "/", env
	}
	return t.below("restic"), nil
}

// ResticOptions are words for restic where it asks by SSH: known is the path of a file with
// KnownHosts, and its own configuration is nobody's. SSH asks nobody for a password.
func (t Target) ResticOptions(known string) []string {
	if t.Kind != SFTP {
		return nil
	}
	args := "-F none -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" + known +
		" -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
	if t.Credentials.SSHKey != "" {
		args += " -i " + t.Credentials.SSHKey
	}
	return []string{"-o", "sftp.args=" + args}
}

// KnownHosts is a file for SSH with the one key that the server has to have.
func (t Target) KnownHosts() string {
	name, number := port(t.Host, "22")
	if number != "22" {
		name = "[" + name + "]:" + number
	}
	return name + " " + strings.TrimSpace(t.Credentials.HostKey) + "\n"
}

// PgBackRest are options that tell pgBackRest the repository, without what opens it but a key's
// file; false: it knows no such target, which is WebDAV, S3 without TLS, SFTP by a password.
func (t Target) PgBackRest() (options map[string]string, ok bool) {
	c := t.Credentials
	options = map[string]string{"repo1-type": "posix", "repo1-path": t.below("postgres")}
	switch t.Kind {
	case Volume, Folder:
	case S3:
		options["repo1-type"], options["repo1-path"] = "s3", "/"+t.below("postgres")
		options["repo1-s3-bucket"], options["repo1-s3-key"] = t.Bucket, c.AccessKey
		options["repo1-s3-region"], options["repo1-s3-endpoint"] = cmp.Or(t.Region, "us-east-1"), "s3."+cmp.Or(t.Region, "us-east-1")+".amazonaws.com"
		if t.Endpoint != "" {
			u, err := url.Parse(t.Endpoint)
			if err != nil || u.Scheme != "https" {
				return nil, false
			}
			options["repo1-s3-endpoint"], options["repo1-s3-uri-style"] = u.Hostname(), "path"
			if u.Port() != "" {
				options["repo1-storage-port"] = u.Port()
			}
		}
	case SFTP:
		blob := strings.Fields(c.HostKey)
		if c.SSHKey == "" || len(blob) < 2 {
			return nil, false
		}
		key, err := base64.StdEncoding.DecodeString(blob[1])
		if err != nil {
			return nil, false
		}
		sum := sha256.Sum256(key)
		name, number := port(t.Host, "22")
		for option, value := range map[string]string{"host": name, "host-port": number, "host-user": t.User, "private-key-file": c.SSHKey,
			"host-key-hash-type": "sha256", "host-key-check-type": "fingerprint", "host-fingerprint": hex.EncodeToString(sum[:])} {
			options["repo1-sftp-"+option] = value
		}
		options["repo1-type"] = "sftp"
	default:
		return nil, false
	}
	return options, true
}
