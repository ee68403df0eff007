package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what the API wants
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// alidns is Alibaba Cloud's DNS, by its API of 2015-01-09.
type alidns struct {
	id, key, base string
	http          *http.Client
}

func (a *alidns) add(ctx context.Context, zone, name, value string) (string, error) {
	var said struct{ RecordId string } //nolint:revive,staticcheck // as the API calls it
	err := a.call(ctx, "AddDomainRecord", url.Values{"DomainName": {zone}, "RR": {name}, "Type": {"TXT"}, "Value": {value}}, &said)
	return said.RecordId, err
}

func (a *alidns) remove(ctx context.Context, _, id string) error {
	return a.call(ctx, "DeleteDomainRecord", url.Values{"RecordId": {id}}, nil)
}

func (a *alidns) call(ctx context.Context, action string, asked url.Values, into any) error {
	for name, value := range map[string]string{
		"Action": action, "Version": "2015-01-09", "Format": "JSON", "AccessKeyId": a.id, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": rand.Text(), "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05Z"),
	} {
		asked.Set(name, value)
	}
	asked.Set("Signature", alidnsSignature(http.MethodPost, asked, a.key))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base, strings.NewReader(asked.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := a.http.Do(request)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), a.key, "…"))
	}
	defer func() { _ = answer.Body.Close() }()
	var said json.RawMessage
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return fmt.Errorf("alidns answers %s: %w", answer.Status, err)
	}
	var fault struct{ Code, Message string }
	if err := json.Unmarshal(said, &fault); err != nil || fault.Code != "" || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("alidns answers %s: %s: %s", answer.Status, fault.Code, fault.Message)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(said, into)
}

// alidnsSignature is that of an RPC: what is asked, in order, and each part encoded as RFC 3986 has it.
func alidnsSignature(method string, asked url.Values, key string) string {
	encode := func(text string) string {
		return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(text))
	}
	// Values.Encode sorts by the names.
	ordered := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(asked.Encode())
	sum := hmac.New(sha1.New, []byte(key+"&"))
	sum.Write([]byte(method + "&" + encode("/") + "&" + encode(ordered)))
	return base64.StdEncoding.EncodeToString(sum.Sum(nil))
}
