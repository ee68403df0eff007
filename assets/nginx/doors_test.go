package nginx

import (
	"strings"
	"testing"
)

// Where names are known, the first server has those that no other one has, and a name that is
// nobody's has one that shakes no hands; but not behind an edge, where TLS does not end.
func TestWhoHasWhichName(t *testing.T) {
	c := Config{TLS: true, Known: []string{"127.0.0.1", "2001:db8::1", "api.example", "blog.example", "shop.example"},
		Routes: []Route{{Name: "a", Host: "API.example", Path: "/"}}, Sites: []Site{{Name: "b", Hosts: []string{"Blog.example"}, Stack: "x", Port: 1}}}
	if names := c.Names(); names != "_ 127.0.0.1 shop.example" {
		t.Errorf("%q", names)
	}
	if names := (Config{}).Names(); names != "_" {
		t.Errorf("of nothing known: %q", names)
	}
	for _, behind := range []bool{true, false} {
		c.Behind = behind
		text, err := Render(c)
		if err != nil {
			t.Fatal(err)
		}
		for part, want := range map[string]bool{"ssl_reject_handshake on;": !behind, "return 421;": behind, "server_name _ 127.0.0.1 shop.example;": true} {
			if got := strings.Contains(text, part); got != want {
				t.Errorf("behind an edge %v: %q: %v", behind, part, got)
			}
		}
	}
}

func TestWhoMayAskAgainAndWhen(t *testing.T) {
	for rate, want := range map[int]int{1: 60, 7: 9, 10: 6, 60: 1, 100: 1} {
		if got := (Config{LoginRate: rate}).LoginPause(); got != want {
			t.Errorf("of %d a minute the next one is allowed in %d s, want %d", rate, got, want)
		}
	}
	text, err := Render(Config{LoginRate: 7, LoginPaths: []string{"/a.b"}, Barred: []Barred{{Path: "/c.d", Allow: []string{"10.0.0.0/8"}, Name: "barred_1"}}, HSTS: 5, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"~*^(sent|password) /a\.b([/;]|$)" $client;`, `"~*^ 0 /c\.d([/;]|$)" 1;`, "geo $allowed_barred_1 {\n        default 0;\n        10.0.0.0/8 1;", "if ($barred_1) {\n            return 403;",
		"zone=login:10m rate=7r/m;", "limit_req zone=login burst=7 nodelay;", `[\s\S]" 9;`, `"https " max-age=5;`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "limit_conn clients") {
		t.Error("what is unlimited is limited")
	}
}
