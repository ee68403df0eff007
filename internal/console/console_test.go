package console

import (
	"bytes"
	"os/exec"
	"testing"
)

func TestTheFormIsThatOfTheScripts(t *testing.T) {
	var got bytes.Buffer
	c := Console{To: &got}
	c.Step("%d things", 2)
	c.OK("100 %% of %s", "it")
	c.Warn("a fault")
	c.Note("a note")
	c.Fail(Failure{"it failed", []string{"do this", "or that: 5 %"}})
	script := exec.CommandContext(t.Context(), "bash", "-c",
		`. ../../setup/lib.sh; step 2 things; ok '100 % of it'; warn 'a fault'; note 'a note'; fail 'it failed' 'do this' 'or that: 5 %'`)
	var want bytes.Buffer
	script.Stderr = &want
	if err := script.Run(); err == nil {
		t.Fatal("fail has not failed")
	}
	if got.String() != want.String() {
		t.Errorf("got\n%swant\n%s", got.String(), want.String())
	}
}

func TestOnlyATerminalHasColours(t *testing.T) {
	var got bytes.Buffer
	Console{To: &got, Colors: true}.OK("well")
	if want := "  \x1b[32mok\x1b[0m    well\n"; got.String() != want {
		t.Errorf("%q", got.String())
	}
}

func TestWhatOthersSaidIsMarked(t *testing.T) {
	var got bytes.Buffer
	Console{To: &got}.Quote("one\n\ntwo")
	if want := "        | one\n        | \n        | two\n"; got.String() != want {
		t.Errorf("%q", got.String())
	}
}

func TestAFailureIsAnErrorWithAllItsLines(t *testing.T) {
	if got := (Failure{"it failed", []string{"do this"}}).Error(); got != "it failed\ndo this" {
		t.Errorf("%q", got)
	}
}
