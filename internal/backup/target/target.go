// Package target is where backups go: what a stack's file says of it, and the words in which
// litestream and restic want to be told. It opens no connection.
package target

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// Kind is what a target is.
type Kind string

// The kinds.
const (
	Volume Kind = "volume" // one of the stack's own: on the disk that serves
	Folder Kind = "folder" // of the engine's host
	S3     Kind = "s3"
	SFTP   Kind = "sftp"
	WebDAV Kind = "webdavs"
	Rest   Kind = "rest" // restic's own server: for files alone
)

// Mount is where a target that is a volume or a folder is found in containers.
const Mount = "/target"

// Target is where the backups of one stack go. Each stack has a folder of its own there, so
// that two with the same target never write the same.
type Target struct {
	Kind Kind
	// Stack names the stack's own folder. Who parses a target sets it.
	Stack string
	// Bucket, Endpoint and Region are of S3. An endpoint is an address with https://, and
	// empty is AWS.
	Bucket, Endpoint, Region string
	// User and Host, with a port where it is another than usual, are a server's.
	User, Host string
	// Path is below the bucket, on the server, or on the host. It neither begins nor ends in a
	// slash, but a host's folder and a server's path begin in one.
	Path string
	// Credentials are not part of what a stack's file says of a target.
	Credentials Credentials
}

// Credentials open a target.
type Credentials struct {
	// AccessKey is the name that Secret belongs to: of an S3 key, or WebDAV's user.
	AccessKey string
	// HostKey is an SFTP server's public key.
	HostKey string
	// Secret is the S3 key's, or SFTP's or WebDAV's password.
	Secret string
	// SSHKey is the path of a file with a private key.
	SSHKey string
	// FilesSecret is the password for restic's own server.
	FilesSecret string
}

// Parse reads what a stack's file calls a target. What can't be is told without what might be
// a password.
func Parse(text string) (Target, error) {
	switch {
	case text == "":
		return Target{Kind: Volume}, nil
	case strings.HasPrefix(text, "/"):
		if clean := path.Clean(text); clean != text || clean == "/" {
			return Target{}, fmt.Errorf("a folder is written without .., // and a slash at its end, and is not /")
		}
		return Target{Kind: Folder, Path: text}, nil
	}
	rest, isRest := strings.CutPrefix(text, "rest:")
	u, err := url.Parse(rest)
	if err != nil {
		return Target{}, errors.New("it is not an address") // the error's text has it all
	}
	if _, has := u.User.Password(); has {
		return Target{}, errors.New("a password does not belong here: it would be readable in the stack's file. It is a secret: backupSecret, or backupFilesSecret")
	}
	if u.Fragment != "" || strings.Contains(u.Path, "//") || strings.Contains(u.Path+"/", "/../") {
		return Target{}, errors.New("the path has //, .. or #")
	}
	t := Target{Host: u.Host, User: u.User.Username(), Path: strings.TrimSuffix(u.Path, "/")}
	switch {
	case isRest:
		t.Kind = Rest
		return t, errors.Join(want(u.Scheme == "https", "an address of a rest-server begins with rest:https://"), want(u.Host != "", "the host is missing: rest:https://HOST/REPO"), t.none(u))
	case u.Scheme == "s3":
		return s3(u)
	case u.Scheme == "sftp":
		t.Kind = SFTP
		return t, errors.Join(want(t.User != "" && u.Hostname() != "", "user or host is missing: sftp://USER@HOST:PORT/PATH"), want(t.Path != "", "the path is missing: sftp://USER@HOST:PORT/PATH"), t.none(u))
	case u.Scheme == "webdavs":
		t.Kind = WebDAV
		return t, errors.Join(want(u.Host != "", "the host is missing: webdavs://HOST/PATH"), want(t.User == "", "the user is backup.accessKey"), t.none(u))
	case u.Scheme == "webdav", u.Scheme == "http", u.Scheme == "https":
		return Target{}, errors.New("a database goes to a WebDAV server only by TLS: webdavs://HOST/PATH")
	}
	return Target{}, errors.New("nothing is known of such a target")
}

func s3(u *url.URL) (Target, error) {
	t := Target{Kind: S3, Bucket: u.Host, Path: strings.Trim(u.Path, "/")}
	all := []error{want(t.Bucket != "" && u.Port() == "", "the bucket is missing: s3://BUCKET/PATH"), want(u.User == nil, "the access key's id is backup.accessKey")}
	for key, values := range u.Query() {
		switch {
		case len(values) != 1:
			all = append(all, fmt.Errorf("%s is there twice", key))
		case key == "endpoint":
			t.Endpoint = values[0]
			all = append(all, endpoint(t.Endpoint))
		case key == "region":
			t.Region = values[0]
		default:
			all = append(all, fmt.Errorf("%q is none of endpoint, region", key))
		}
	}
	return t, errors.Join(all...)
}

// endpoint is an address by TLS: litestream encrypts nothing itself. Only what leaves neither
// the machine nor a network of its own may do without.
func endpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.New("the endpoint is an address such as https://s3.example.com")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isNear(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("the endpoint is asked by https: the database would go through other people's networks as it is")
}

func isNear(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsPrivate() || ip.IsLoopback()
	}
	return !strings.Contains(host, ".")
}

func (t Target) none(u *url.URL) error {
	return want(u.RawQuery == "", "nothing may follow a ?")
}

func want(is bool, text string) error {
	if is {
		return nil
	}
	return errors.New(text)
}

// String is the target as a stack's file has it.
func (t Target) String() string {
	switch t.Kind {
	case Volume:
		return ""
	case Folder:
		return t.Path
	case S3:
		u := url.URL{Scheme: "s3", Host: t.Bucket, Path: "/" + t.Path}
		q := url.Values{}
		for key, value := range map[string]string{"endpoint": t.Endpoint, "region": t.Region} {
			if value != "" {
				q.Set(key, value)
			}
		}
		u.RawQuery = q.Encode()
		return u.String()
	}
	u := url.URL{Scheme: string(t.Kind), Host: t.Host, Path: t.Path}
	if t.User != "" {
		u.User = url.User(t.User)
	}
	if t.Kind == Rest {
		u.Scheme = "https"
		return "rest:" + u.String()
	}
	return u.String()
}

// ID tells targets apart, without a word that is to be kept: another region or credential of
// the same place is the same target.
func (t Target) ID() string {
	t.Region = ""
	sum := sha256.Sum256([]byte(string(t.Kind) + " " + t.String() + " " + t.Stack))
	return hex.EncodeToString(sum[:8])
}

// Remote is true for one that is asked over the network.
func (t Target) Remote() bool { return t.Kind != Volume && t.Kind != Folder }

// Folder is where a volume's or a folder's backups of this stack are in containers. Empty:
// they are elsewhere.
func (t Target) Folder() string {
	if t.Remote() {
		return ""
	}
	return path.Join(Mount, t.Stack)
}

// below is a path in the stack's folder of the target.
func (t Target) below(name string) string {
	if !t.Remote() {
		return path.Join(t.Folder(), name)
	}
	return path.Join(t.Path, t.Stack, name)
}

// port is a server's, or the usual one.
func port(host, usual string) (name, number string) {
	if name, number, err := net.SplitHostPort(host); err == nil {
		return name, number
	}
	return strings.Trim(host, "[]"), usual
}
