package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The names in a store's folder, and in that of a certificate. nginx knows the latter two.
const (
	currentName     = "current"
	stateName       = "state.json"
	accountsName    = "accounts"
	certificateFile = "tls_certificate"
	keyFile         = "tls_key"
	aboutFile       = "about.json"
	// prefix begins the names of certificates' folders.
	prefix = "certificate-"
)

// store keeps the certificate, and what is known of the CAs, in a folder.
//
//	current -> certificate-20261127T101500Z-1/  a certificate and its key, which belong together
//	accounts/NAME/                              of the CAs; nginx can't read them
//	state.json
//
// nginx's group may read a certificate: what is new is complete before its name is there.
type store struct{ folder string }

// issued is a certificate with its key.
type issued struct {
	Certificate, Key []byte
	// Directory is the CA's that it is of, and CA its name.
	Directory string `json:"directory"`
	CA        string `json:"ca"`
	leaf      *x509.Certificate
}

// lifetime is for how long it is good in all.
func (i issued) lifetime() time.Duration { return i.leaf.NotAfter.Sub(i.leaf.NotBefore) }

// check finds out whether certificate and key belong together, and reads the certificate.
func (i *issued) check() error {
	pair, err := tls.X509KeyPair(i.Certificate, i.Key)
	if err != nil {
		return err
	}
	i.leaf, err = x509.ParseCertificate(pair.Certificate[0])
	return err
}

// current is the certificate that there is; nil: there is none.
func (s store) current() (*issued, error) {
	folder, err := os.Readlink(filepath.Join(s.folder, currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(s.folder, folder, name) }
	var i issued
	about, err := os.ReadFile(at(aboutFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(about, &i); err != nil {
		return nil, fmt.Errorf("%s: %w", at(aboutFile), err)
	}
	if i.Certificate, err = os.ReadFile(at(certificateFile)); err != nil {
		return nil, err
	}
	if i.Key, err = os.ReadFile(at(keyFile)); err != nil {
		return nil, err
	}
	return &i, i.check()
}

// save has a certificate take the place of the one that there is, at once. The one before stays:
// somebody may just read it.
func (s store) save(i issued, now time.Time) error {
	about, err := json.Marshal(struct {
		Directory string `json:"directory"`
		CA        string `json:"ca"`
	}{i.Directory, i.CA})
	if err != nil {
		return err
	}
	// Nobody knows it before its name is in the link.
	folder, err := os.MkdirTemp(s.folder, prefix+now.UTC().Format("20060102T150405Z-"))
	if err != nil {
		return err
	}
	name := filepath.Base(folder)
	for file, content := range map[string][]byte{certificateFile: i.Certificate, keyFile: i.Key, aboutFile: about} {
		if err := write(filepath.Join(folder, file), content, 0o440); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Chmod(folder, 0o750), flush(folder)); err != nil { //nolint:gosec // nginx's group reads it
		return err
	}
	before, _ := os.Readlink(filepath.Join(s.folder, currentName))
	link := filepath.Join(s.folder, currentName+".new")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(name, link); err != nil {
		return err
	}
	if err := os.Rename(link, filepath.Join(s.folder, currentName)); err != nil {
		return err
	}
	if err := flush(s.folder); err != nil {
		return err
	}
	return s.tidy(name, before)
}

// tidy removes the certificates but these, and what is left of attempts that were cut off.
func (s store) tidy(keep ...string) error {
	all, err := os.ReadDir(s.folder)
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range all {
		name := entry.Name()
		if !strings.HasPrefix(name, prefix) || slices.Contains(keep, name) {
			continue
		}
		failures = append(failures, os.RemoveAll(filepath.Join(s.folder, name)))
	}
	return errors.Join(failures...)
}

// keep writes what is to be remembered, and recall reads it; a file that isn't there leaves it as
// it is.
func (s store) keep(name string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(s.folder, name), text)
}

func (s store) recall(name string, what any) error {
	text, err := os.ReadFile(filepath.Join(s.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, what); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// replace writes a file that only its owner reads, at once.
func replace(file string, content []byte) error {
	if err := write(file+".new", content, 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	return flush(filepath.Dir(file))
}

// write writes a file to the disk. One that is there, of an attempt that was cut off, goes.
func write(file string, content []byte, mode os.FileMode) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}

func flush(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
