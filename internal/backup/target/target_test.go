package target

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Target{
		"":                {Kind: Volume},
		"/srv/backups":    {Kind: Folder, Path: "/srv/backups"},
		"s3://bucket":     {Kind: S3, Bucket: "bucket"},
		"s3://bucket/a/b": {Kind: S3, Bucket: "bucket", Path: "a/b"},
		"s3://bucket/?endpoint=https%3A%2F%2Fs3.example.com&region=eu-1": {Kind: S3, Bucket: "bucket", Endpoint: "https://s3.example.com", Region: "eu-1"},
		"s3://bucket/x?endpoint=http://minio:9000":                       {Kind: S3, Bucket: "bucket", Path: "x", Endpoint: "http://minio:9000"},
		"s3://bucket/x?endpoint=http://192.168.1.7:9000":                 {Kind: S3, Bucket: "bucket", Path: "x", Endpoint: "http://192.168.1.7:9000"},
		"sftp://backup@host.example.com/srv/x":                           {Kind: SFTP, User: "backup", Host: "host.example.com", Path: "/srv/x"},
		"sftp://backup@host:2222/srv/x":                                  {Kind: SFTP, User: "backup", Host: "host:2222", Path: "/srv/x"},
		"webdavs://dav.example.com/x":                                    {Kind: WebDAV, Host: "dav.example.com", Path: "/x"},
		"rest:https://rest.example.com/repo/":                            {Kind: Rest, Host: "rest.example.com", Path: "/repo"},
		"rest:https://user@rest.example.com/":                            {Kind: Rest, User: "user", Host: "rest.example.com"},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %v: %+v", text, err, got)
			continue
		}
		if again, err := Parse(got.String()); err != nil || again != want {
			t.Errorf("%s is written as %s: %v: %+v", text, got, err, again)
		}
	}
}

func TestTargetsThatCanNotBe(t *testing.T) {
	for text, want := range map[string]string{
		"/":                         "is not /",
		"/srv/../etc":               "without ..",
		"/srv/backups/":             "a slash at its end",
		"backups":                   "nothing is known",
		"ftp://host/x":              "nothing is known",
		"s3:///x":                   "the bucket is missing",
		"s3://key:secret@bucket/x":  "a password does not belong here",
		"s3://key@bucket/x":         "backup.accessKey",
		"s3://bucket/x?acl=private": `"acl" is none of endpoint, region`,
		"s3://bucket/x?endpoint=http://s3.example.com": "by https",
		"s3://bucket/x?endpoint=http://8.8.8.8":        "by https",
		"s3://bucket/x?endpoint=s3.example.com":        "https://s3.example.com",
		"s3://b/x?region=a&region=b":                   "there twice",
		"s3://b/a/../c":                                "..",
		"sftp://host/x":                                "user or host is missing",
		"sftp://a@host":                                "the path is missing",
		"sftp://a:secret@host/x":                       "a password does not belong here",
		"sftp://a@host/x?y=z":                          "nothing may follow a ?",
		"webdav://host/x":                              "only by TLS",
		"https://host/x":                               "only by TLS",
		"webdavs://user@host/x":                        "backup.accessKey",
		"webdavs:///x":                                 "the host is missing",
		"rest:http://host/x":                           "begins with rest:https://",
		"rest:https://u:secret@host/x":                 "backupFilesSecret",
		"sftp://a@host/x#y":                            "#",
		"sftp://a:%zz@host/x":                          "not an address",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		} else if strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "zz") {
			t.Errorf("%s: the error has the password: %v", text, err)
		}
	}
}

// all is a target of each kind, with whatever opens it.
func all(t *testing.T) map[Kind]Target {
	found := map[Kind]Target{}
	for _, text := range []string{"", "/srv/b", "s3://bucket/p?endpoint=https://s3.example.com&region=eu-1", "sftp://u@host:2222/srv/b", "webdavs://dav.example.com/b", "rest:https://me@rest.example.com/repo"} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Stack = "tarot-prod"
		p.Credentials = Credentials{AccessKey: "AK", HostKey: "ssh-ed25519 AAAA", Secret: "SK", SSHKey: "/run/secrets/backup_ssh_key", FilesSecret: "FS"}
		found[p.Kind] = p
	}
	return found
}

func TestWhatLitestreamIsTold(t *testing.T) {
	want := map[Kind]Replica{
		Volume: {Type: "file", Path: "/target/tarot-prod/db-2"},
		Folder: {Type: "file", Path: "/target/tarot-prod/db-2"},
		S3:     {Type: "s3", Path: "p/tarot-prod/db-2", Bucket: "bucket", Endpoint: "https://s3.example.com", Region: "eu-1", AccessKey: "AK", SecretKey: "SK"},
		SFTP:   {Type: "sftp", Path: "/srv/b/tarot-prod/db-2", Host: "host:2222", User: "u", Password: "SK", KeyPath: "/run/secrets/backup_ssh_key", HostKey: "ssh-ed25519 AAAA"},
		WebDAV: {Type: "webdav", Path: "/b/tarot-prod/db-2", WebDAVURL: "https://dav.example.com", WebDAVUser: "AK", WebDAVPassword: "SK"},
	}
	targets := all(t)
	for kind, replica := range want {
		if got := targets[kind].Litestream(2); got != replica {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

func TestWhatResticIsTold(t *testing.T) {
	targets := all(t)
	for kind, want := range map[Kind]struct {
		repository string
		env        map[string]string
	}{
		Volume: {"/target/tarot-prod/restic", nil},
		Folder: {"/target/tarot-prod/restic", nil},
		S3:     {"s3:https://s3.example.com/bucket/p/tarot-prod/restic", map[string]string{"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_DEFAULT_REGION": "eu-1"}},
		SFTP:   {"sftp://u@host:2222//srv/b/tarot-prod/restic", nil},
		Rest:   {"rest:https://rest.example.com/repo/", map[string]string{"RESTIC_REST_USERNAME": "me", "RESTIC_REST_PASSWORD": "FS"}},
	} {
		repository, env := targets[kind].Restic()
		if repository != want.repository || !maps.Equal(env, want.env) {
			t.Errorf("%s: %s %v", kind, repository, env)
		}
		for _, secret := range []string{"SK", "FS", "AK"} {
			if strings.Contains(repository, secret) {
				t.Errorf("%s: a word shows what opens it: %s", kind, repository)
			}
		}
		options := targets[kind].ResticOptions("/tmp/known")
		if isSFTP := kind == SFTP; isSFTP != (len(options) == 2) {
			t.Errorf("%s: %q", kind, options)
		} else if isSFTP && (!strings.Contains(options[1], "UserKnownHostsFile=/tmp/known") || !strings.Contains(options[1], "-i /run/secrets/backup_ssh_key")) {
			t.Errorf("%q", options)
		}
	}
	aws := Target{Kind: S3, Bucket: "b", Stack: "s"}
	if repository, _ := aws.Restic(); repository != "s3:https://s3.amazonaws.com/b/s/restic" {
		t.Error(repository)
	}
	if text := targets[SFTP].KnownHosts(); text != "[host]:2222 ssh-ed25519 AAAA\n" {
		t.Error(text)
	}
	if text := (Target{Host: "host", Credentials: Credentials{HostKey: "ssh-rsa B"}}).KnownHosts(); text != "host ssh-rsa B\n" {
		t.Error(text)
	}
}

func TestWhatPgBackRestIsTold(t *testing.T) {
	for kind, told := range all(t) {
		told.Credentials.HostKey = "ssh-ed25519 AAAA"
		options, ok := told.PgBackRest()
		want := map[Kind]map[string]string{
			Volume: {"repo1-type": "posix", "repo1-path": "/target/tarot-prod/postgres"},
			Folder: {"repo1-type": "posix", "repo1-path": "/target/tarot-prod/postgres"},
			S3: {"repo1-type": "s3", "repo1-path": "/p/tarot-prod/postgres", "repo1-s3-bucket": "bucket", "repo1-s3-key": "AK",
				"repo1-s3-region": "eu-1", "repo1-s3-endpoint": "s3.example.com", "repo1-s3-uri-style": "path"},
			SFTP: {"repo1-type": "sftp", "repo1-path": "/srv/b/tarot-prod/postgres", "repo1-sftp-host": "host", "repo1-sftp-host-port": "2222", "repo1-sftp-host-user": "u",
				"repo1-sftp-private-key-file": "/run/secrets/backup_ssh_key", "repo1-sftp-host-key-hash-type": "sha256", "repo1-sftp-host-key-check-type": "fingerprint",
				"repo1-sftp-host-fingerprint": "709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c"},
		}[kind]
		if ok != (want != nil) || !maps.Equal(options, want) {
			t.Errorf("%s: %v, %v", kind, ok, options)
		}
	}
	for name, other := range map[string]Target{
		"without TLS":   {Kind: S3, Bucket: "b", Endpoint: "http://minio:9000"},
		"by a password": {Kind: SFTP, Host: "h", Path: "/x", Credentials: Credentials{Secret: "s", HostKey: "ssh-ed25519 AAAA"}},
	} {
		if _, ok := other.PgBackRest(); ok {
			t.Errorf("%s: it is told something that it can't", name)
		}
	}
}

// Another stack is another place; what opens it, and an AWS region, is not.
func TestTheIDOfATarget(t *testing.T) {
	ids := map[string]Kind{}
	for kind, p := range all(t) {
		ids[p.ID()] = kind
		same := p
		same.Credentials, same.Region = Credentials{}, "other"
		if same.ID() != p.ID() {
			t.Errorf("%s is another one with another credential", kind)
		}
		other := p
		other.Stack = "tarot-staging"
		if other.ID() == p.ID() {
			t.Errorf("%s is the same for another stack", kind)
		}
		if strings.Contains(p.String(), "SK") || p.Remote() != !slices.Contains([]Kind{Volume, Folder}, kind) {
			t.Errorf("%s", p)
		}
	}
	if len(ids) != 6 {
		t.Errorf("%v", ids)
	}
}

func TestFlags(t *testing.T) {
	secrets := t.TempDir()
	for name, text := range map[string]string{"backup_secret": "SK\n", "backup_ssh_key": "", "backup_files_secret": "FS"} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set := flag.NewFlagSet("x", flag.ContinueOnError)
	parsed := Flags(set)
	if err := set.Parse([]string{"--target=s3://b/p", "--stack=tarot-prod", "--access-key=AK", "--secrets=" + secrets}); err != nil {
		t.Fatal(err)
	}
	got, err := parsed()
	// An empty file is no key: a stack without one may mount it all the same.
	want := Target{Kind: S3, Bucket: "b", Path: "p", Stack: "tarot-prod", Credentials: Credentials{AccessKey: "AK", Secret: "SK", FilesSecret: "FS"}}
	if err != nil || got != want {
		t.Errorf("%v: %+v", err, got)
	}
	if err := os.Mkdir(filepath.Join(secrets, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(secrets, "backup_secret")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(secrets, "backup_secret"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := parsed(); err == nil {
		t.Error("what can't be read is taken for none")
	}
}
