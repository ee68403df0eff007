package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The example of Alibaba Cloud's documents.
func TestAlidnsSignature(t *testing.T) {
	asked := url.Values{"Timestamp": {"2016-02-23T12:46:24Z"}, "Format": {"XML"}, "AccessKeyId": {"testid"}, "Action": {"DescribeRegions"}, "SignatureMethod": {"HMAC-SHA1"},
		"SignatureNonce": {"3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"}, "Version": {"2014-05-26"}, "SignatureVersion": {"1.0"}}
	if got := alidnsSignature(http.MethodGet, asked, "testsecret"); got != "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" {
		t.Error(got)
	}
}

// The example of Tencent Cloud's documents.
func TestTencentSignature(t *testing.T) {
	body := []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`)
	got := tencentAuthorization("cvm", "cvm.tencentcloudapi.com", "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", body, time.Unix(1551113065, 0))
	const want = "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Each makes a record, and removes that one; what it refuses is told.
func TestRecordsOfZones(t *testing.T) {
	for name, test := range map[string]struct {
		zones          func(base string) zones
		added, refused string
		form           func(r *http.Request, body []byte) map[string]string
		wanted         []map[string]string
	}{
		"alidns": {
			func(base string) zones { return &alidns{id: "me", key: "word", base: base, http: http.DefaultClient} },
			`{"RequestId": "x", "RecordId": "77"}`, `{"Code": "InvalidAccessKeyId.NotFound", "Message": "no such key"}`,
			func(_ *http.Request, body []byte) map[string]string {
				values, _ := url.ParseQuery(string(body))
				signature := values.Get("Signature")
				values.Del("Signature")
				return map[string]string{"action": values.Get("Action"), "zone": values.Get("DomainName"), "name": values.Get("RR"), "value": values.Get("Value"), "id": values.Get("RecordId"),
					"signed": map[bool]string{true: "yes"}[signature == alidnsSignature(http.MethodPost, values, "word")]}
			},
			[]map[string]string{
				{"action": "AddDomainRecord", "zone": "shop.example", "name": "_acme-challenge.www", "value": "answer*~ +", "id": "", "signed": "yes"},
				{"action": "DeleteDomainRecord", "zone": "", "name": "", "value": "", "id": "77", "signed": "yes"},
			},
		},
		"tencentcloud": {
			func(base string) zones {
				return &tencentcloud{id: "me", key: "word", base: base, http: http.DefaultClient}
			},
			`{"Response": {"RequestId": "x", "RecordId": 77}}`, `{"Response": {"Error": {"Code": "AuthFailure.SecretIdNotFound", "Message": "no such key"}}}`,
			func(r *http.Request, body []byte) map[string]string {
				var asked struct {
					Domain, SubDomain, Value string
					RecordId                 json.Number //nolint:revive,staticcheck // as the API calls it
				}
				_ = json.Unmarshal(body, &asked)
				return map[string]string{"action": r.Header.Get("X-TC-Action"), "zone": asked.Domain, "name": asked.SubDomain, "value": asked.Value, "id": asked.RecordId.String(),
					"signed": map[bool]string{true: "yes"}[strings.HasPrefix(r.Header.Get("Authorization"), "TC3-HMAC-SHA256 Credential=me/")]}
			},
			[]map[string]string{
				{"action": "CreateRecord", "zone": "shop.example", "name": "_acme-challenge.www", "value": "answer*~ +", "id": "", "signed": "yes"},
				{"action": "DeleteRecord", "zone": "shop.example", "name": "", "value": "", "id": "77", "signed": "yes"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []map[string]string
			says := test.added
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, test.form(r, body))
				_, _ = w.Write([]byte(says))
			}))
			defer server.Close()
			r := newRecords(test.zones(server.URL + "/"))
			r.zone = func(context.Context, string) (string, error) { return "shop.example.", nil }
			if err := r.present(t.Context(), "token", "_acme-challenge.www.shop.example.", "answer*~ +"); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing
				if err := r.CleanUp(t.Context(), "www.shop.example", "token", ""); err != nil {
					t.Fatal(err)
				}
			}
			if len(asked) != len(test.wanted) {
				t.Fatalf("asked %v", asked)
			}
			for i, want := range test.wanted {
				for key, value := range want {
					if asked[i][key] != value {
						t.Errorf("%d: %s is %q, want %q", i, key, asked[i][key], value)
					}
				}
			}
			says = test.refused
			if err := r.present(t.Context(), "token", "_acme-challenge.www.shop.example.", "answer"); err == nil || !strings.Contains(err.Error(), "no such key") || strings.Contains(err.Error(), "word") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestProvidersWantTheirSecrets(t *testing.T) {
	secretDir = t.TempDir()
	t.Cleanup(func() { secretDir = "/run/secrets" })
	for _, name := range []string{"cloudflare", "alidns", "tencentcloud"} {
		if _, err := dnsProvider(name); err == nil {
			t.Errorf("%s without its secrets", name)
		}
	}
	for _, name := range []string{"acmeDnsToken", "acmeDnsKeyId", "acmeDnsKey"} {
		if err := os.WriteFile(filepath.Join(secretDir, name), []byte("word\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cloudflare", "alidns", "tencentcloud"} {
		if _, err := dnsProvider(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := dnsProvider("route53"); err == nil {
		t.Error("anybody is taken")
	}
}
