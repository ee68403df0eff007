package runtime

import "testing"

func TestAFailedBuildThatFetchesItsSyntaxSaysSo(t *testing.T) {
	const syntax = "docker/dockerfile:1"
	for log, want := range map[string]bool{
		"#2 resolve image config for docker.io/docker/dockerfile:1\n#2 ERROR: failed to do request: dial tcp: no such host":                                 true,
		"ERROR: failed to solve: failed to resolve source metadata for docker.io/docker/dockerfile:1: not found":                                            true,
		"#2 resolve image config for docker.io/docker/dockerfile:1\n#2 DONE 1s\n#3 docker-image://docker.io/docker/dockerfile:1\n#3 DONE\n#9 ERROR: exit 1": false,
		"#4 ERROR: failed to do request": false,
	} {
		if got := syntaxHint(syntax, log); (got != "") != want {
			t.Errorf("%q: %q", log, got)
		}
		if syntaxHint("", log) != "" {
			t.Errorf("%q: a hint at nothing", log)
		}
	}
}
