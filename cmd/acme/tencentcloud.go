package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// tencentcloud is Tencent Cloud's DNSPod, by its API of 2021-03-23.
type tencentcloud struct {
	id, key, base string
	http          *http.Client
}

func (c *tencentcloud) add(ctx context.Context, zone, name, value string) (string, error) {
	var said struct{ RecordId uint64 } //nolint:revive,staticcheck // as the API calls it
	err := c.call(ctx, "CreateRecord", map[string]any{"Domain": zone, "SubDomain": name, "RecordType": "TXT", "RecordLine": "默认", "Value": value}, &said)
	return strconv.FormatUint(said.RecordId, 10), err
}

func (c *tencentcloud) remove(ctx context.Context, zone, id string) error {
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return err
	}
	return c.call(ctx, "DeleteRecord", map[string]any{"Domain": zone, "RecordId": number}, nil)
}

func (c *tencentcloud) call(ctx context.Context, action string, asked map[string]any, into any) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	at, err := url.Parse(c.base)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base, bytes.NewReader(body))
	if err != nil {
		return err
	}
	now := time.Now()
	for name, value := range map[string]string{
		"Content-Type": tencentContent, "X-TC-Action": action, "X-TC-Version": "2021-03-23", "X-TC-Timestamp": strconv.FormatInt(now.Unix(), 10),
		"Authorization": tencentAuthorization("dnspod", at.Host, c.id, c.key, body, now),
	} {
		request.Header.Set(name, value)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	var said struct{ Response json.RawMessage }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return fmt.Errorf("tencentcloud answers %s: %w", answer.Status, err)
	}
	var fault struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(said.Response, &fault); err != nil || fault.Error.Code != "" {
		return fmt.Errorf("tencentcloud answers %s: %s", fault.Error.Code, fault.Error.Message)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(said.Response, into)
}

const tencentContent = "application/json; charset=utf-8"

// tencentAuthorization signs a POST as TC3-HMAC-SHA256: the content's type, the host and the body.
func tencentAuthorization(service, host, id, key string, body []byte, now time.Time) string {
	sum := func(data []byte) string {
		of := sha256.Sum256(data)
		return hex.EncodeToString(of[:])
	}
	mac := func(key []byte, text string) []byte {
		of := hmac.New(sha256.New, key)
		of.Write([]byte(text))
		return of.Sum(nil)
	}
	const signed = "content-type;host"
	date := now.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	canonical := "POST\n/\n\ncontent-type:" + tencentContent + "\nhost:" + host + "\n\n" + signed + "\n" + sum(body)
	text := "TC3-HMAC-SHA256\n" + strconv.FormatInt(now.Unix(), 10) + "\n" + scope + "\n" + sum([]byte(canonical))
	of := mac(mac(mac([]byte("TC3"+key), date), service), "tc3_request")
	return "TC3-HMAC-SHA256 Credential=" + id + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(mac(of, text))
}
