package checks

import (
	"strings"
	"testing"
)

func TestEachCheckIsALineWithWhatToDo(t *testing.T) {
	r := Report{Stack: "prod", Checks: []Check{
		{ID: "disk", Checked: "there is room", Result: Pass},
		{ID: "a-long-identifier", Checked: "a port is free", Result: Fail, Found: "80 is taken", Cause: "another nginx", Mend: "ss -ltnp"},
		{ID: "backup", Checked: "a backup is recent", Result: Warn, Found: "none"},
		{ID: "clock", Checked: "the clock is right", Result: Unknown, Found: "nobody answered"},
	}}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `  pass    disk              there is room: as it should be
  fail    a-long-identifier a port is free: 80 is taken
                            because another nginx
                            → ss -ltnp
  warn    backup            a backup is recent: none
  unknown clock             the clock is right: nobody answered
prod: 1 pass, 1 warn, 1 fail, 1 unknown, 0 skipped
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if !r.Has(Fail) || r.Has(Skip) {
		t.Error("what the list has is not what it says")
	}
}

func TestInBriefOneReasonIsALine(t *testing.T) {
	r := Report{Stack: "prod", Checks: []Check{
		{ID: "disk", Checked: "there is room", Result: Pass},
		{ID: "port", Checked: "a port is free", Result: Fail, Found: "80 is taken\nby nginx", Mend: "ss -ltnp\ndocs/page.md"},
		{ID: "backup", Checked: "a backup is recent", Result: Unknown, Found: "nobody answered"},
		{ID: "clock", Checked: "the clock is right", Result: Unknown, Found: "it is far away"},
		{ID: "site", Checked: "users get an answer", Result: Unknown, Found: "nobody answered"},
		{ID: "tls", Checked: "the certificate is good", Result: Skip, Found: "there is none"},
	}}
	var b strings.Builder
	if err := r.WriteBrief(&b); err != nil {
		t.Fatal(err)
	}
	const want = `  fail    port          a port is free: 80 is taken
                          by nginx
                        → ss -ltnp
                          docs/page.md
  unknown 2 checks      nobody answered: backup, site
  unknown clock         the clock is right: it is far away
prod: 1 pass, 1 fail, 3 unknown, 1 skipped
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
