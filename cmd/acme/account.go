package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"
	"github.com/go-acme/lego/v5/lego"
	"github.com/go-acme/lego/v5/registration"
)

// zeroSSL is the one CA that gives whoever names an e-mail address what its accounts are bound to.
const zeroSSL = "zerossl"

// account is one with a CA. It implements registration.User.
type account struct {
	email        string
	registration *acme.ExtendedAccount
	key          crypto.Signer
	folder       string
}

// GetEmail implements registration.User.
func (a *account) GetEmail() string { return a.email }

// GetRegistration implements registration.User.
func (a *account) GetRegistration() *acme.ExtendedAccount { return a.registration }

// GetPrivateKey implements registration.User.
func (a *account) GetPrivateKey() crypto.Signer { return a.key }

// accountFolder is a CA's, by its address: another CA of the same name has another account.
func (s store) accountFolder(ca CA) string {
	sum := sha256.Sum256([]byte(ca.Directory))
	return filepath.Join(s.folder, accountsName, hex.EncodeToString(sum[:8]))
}

// account is the one with a CA, or a new key for one, which is kept before a CA knows it.
func (s store) account(ca CA, email string) (*account, error) {
	a := &account{email: email, folder: s.accountFolder(ca)}
	if err := os.MkdirAll(a.folder, 0o700); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(a.folder, "key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		if a.key, err = certcrypto.GeneratePrivateKey(certcrypto.EC256); err != nil {
			return nil, err
		}
		return a, replace(filepath.Join(a.folder, "key.pem"), certcrypto.PEMEncode(a.key))
	}
	if err != nil {
		return nil, err
	}
	if a.key, err = certcrypto.ParsePEMPrivateKey(text); err != nil {
		return nil, fmt.Errorf("the key of the account with %s: %w", ca.Name, err)
	}
	text, err = os.ReadFile(filepath.Join(a.folder, "account.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &a.registration)
	}
	return a, err
}

// forget puts an account away that the CA doesn't take any more.
func (a *account) forget(now time.Time) error {
	return os.Rename(a.folder, a.folder+"-refused-"+now.UTC().Format("20060102T150405"))
}

// client is a client of a CA, with an account there.
func (m *manager) client(ctx context.Context, ca CA) (*lego.Client, *account, error) {
	a, err := m.store.account(ca, m.Email)
	if err != nil {
		return nil, nil, err
	}
	config := lego.NewConfig(a)
	config.CADirURL, config.UserAgent = ca.Directory, "tarot-platform"
	if config.HTTPClient, err = m.http(); err != nil {
		return nil, nil, err
	}
	client, err := lego.NewClient(config)
	if err != nil {
		return nil, nil, err
	}
	if a.registration != nil {
		return client, a, nil
	}
	if a.registration, err = m.register(ctx, client, ca); err != nil {
		return nil, nil, fmt.Errorf("an account: %w", err)
	}
	text, err := json.Marshal(a.registration)
	if err != nil {
		return nil, nil, err
	}
	return client, a, replace(filepath.Join(a.folder, "account.json"), text)
}

// register makes an account, bound to what the CA wants it bound to.
func (m *manager) register(ctx context.Context, client *lego.Client, ca CA) (*acme.ExtendedAccount, error) {
	switch {
	case ca.EAB:
		id, err := secret("acmeEabKeyId")
		if err != nil {
			return nil, err
		}
		key, err := secret("acmeEabHmac")
		if err != nil {
			return nil, err
		}
		return client.Registration.RegisterWithExternalAccountBinding(ctx, registration.RegisterEABOptions{TermsOfServiceAgreed: true, Kid: id, HmacEncoded: key})
	case ca.Name == zeroSSL:
		return registration.RegisterWithZeroSSL(ctx, client.Registration, m.Email)
	case client.GetServerMetadata().ExternalAccountRequired:
		return nil, errors.New("this CA wants it bound to one with it: nginx.tls.acme.eab names the CA, and the secrets acmeEabKeyId and acmeEabHmac are what it gives for that")
	}
	return client.Registration.Register(ctx, registration.RegisterOptions{TermsOfServiceAgreed: true})
}

// gone is true where a CA has refused something because it doesn't take the account any more:
// it is asked, as it gives the same reason for others.
func gone(ctx context.Context, client *lego.Client, failure error) bool {
	var refused *acme.ProblemDetails
	if client == nil || !errors.As(failure, &refused) || !slices.Contains([]string{acme.AccountDoesNotExistErrorType, acme.UnauthorizedErrorType}, refused.Type) {
		return false
	}
	known, err := client.Registration.QueryRegistration(ctx)
	if err == nil {
		return known.Status != acme.StatusValid
	}
	return errors.As(err, &refused) && slices.Contains([]string{acme.AccountDoesNotExistErrorType, acme.UnauthorizedErrorType}, refused.Type)
}

// http asks a CA that is known, or is among the roots.
func (m *manager) http() (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.Roots != "" {
		text, err := os.ReadFile(m.Roots)
		if err != nil {
			return nil, err
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			return nil, err
		}
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: there is no certificate in it", m.Roots)
		}
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		DialContext:     (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		TLSClientConfig: config, TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		DisableKeepAlives: true, // seconds of work, then months without
	}}, nil
}
