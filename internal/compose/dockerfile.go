package compose

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// image is what a Dockerfile says of the image that is built, as far as an import has to know
// it. The zero one: nothing is known.
type image struct {
	known                  bool
	python                 bool
	base                   string // what its last stage, and those that it is built on, begin with
	port                   int
	user, workingDir       string
	entrypoint, healthTest []string
}

var (
	continued = regexp.MustCompile(`\\[ \t]*\r?\n`)
	comment   = regexp.MustCompile(`(?m)^[ \t]*#.*\n?`)
	pythonic  = regexp.MustCompile(`(?i)\b(python[0-9.]*|pip3?|uv|poetry|uvicorn|gunicorn|hypercorn|daphne|fastapi|flask|django)\b`)
)

// builds reads the Dockerfile of a service.
func builds(b *types.BuildConfig) image {
	if b == nil {
		return image{}
	}
	return dockerfile(textOf(b), b.Target)
}

// textOf is a Dockerfile; empty: it can't be read, which a stack file's check tells.
func textOf(b *types.BuildConfig) string {
	if b.DockerfileInline != "" {
		return b.DockerfileInline
	}
	file := b.Dockerfile
	if !filepath.IsAbs(file) {
		file = filepath.Join(b.Context, file)
	}
	text, _ := os.ReadFile(file)
	return string(text)
}

type stage struct {
	name, from string
	lines      [][2]string // instruction, rest
}

// dockerfile reads the stage target; empty: the last one.
func dockerfile(text, target string) image {
	var stages []stage
	for line := range strings.Lines(continued.ReplaceAllString(comment.ReplaceAllString(text, ""), " ")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		word, rest = strings.ToUpper(word), strings.TrimSpace(rest)
		if word == "FROM" {
			words := slices.DeleteFunc(strings.Fields(rest), func(w string) bool { return strings.HasPrefix(w, "--") })
			if len(words) == 0 {
				continue
			}
			s := stage{from: words[0]}
			if len(words) == 3 && strings.EqualFold(words[1], "as") {
				s.name = words[2]
			}
			stages = append(stages, s)
			continue
		}
		if len(stages) > 0 && word != "" {
			last := &stages[len(stages)-1]
			last.lines = append(last.lines, [2]string{word, rest})
		}
	}
	at := len(stages) - 1
	if target != "" {
		at = slices.IndexFunc(stages, func(s stage) bool { return strings.EqualFold(s.name, target) })
	}
	if at < 0 {
		return image{}
	}
	var found image
	found.read(stages, at)
	found.known = true
	return found
}

// read reads a stage after the one that it is built on.
func (i *image) read(stages []stage, at int) {
	s := stages[at]
	if below := slices.IndexFunc(stages[:at], func(other stage) bool { return other.name != "" && strings.EqualFold(other.name, s.from) }); below >= 0 {
		i.read(stages, below)
	} else {
		i.base = s.from
		i.python = pythonic.MatchString(s.from)
	}
	for _, line := range s.lines {
		rest := line[1]
		switch line[0] {
		case "EXPOSE":
			number, _, _ := strings.Cut(strings.Fields(rest + " ")[0], "/")
			if port, err := strconv.Atoi(number); err == nil {
				i.port = port
			}
		case "USER":
			i.user = rest
		case "WORKDIR":
			i.workingDir = path.Join("/", i.workingDir, rest)
			if path.IsAbs(rest) {
				i.workingDir = path.Clean(rest)
			}
		case "ENTRYPOINT":
			i.entrypoint, i.python = words(rest), i.python || pythonic.MatchString(rest)
		case "HEALTHCHECK":
			_, test, _ := strings.Cut(rest, "CMD")
			i.healthTest = words(strings.TrimSpace(test))
			if strings.HasPrefix(rest, "NONE") {
				i.healthTest = nil
			}
		case "RUN", "CMD":
			i.python = i.python || pythonic.MatchString(rest)
		}
	}
}

// words are those of an instruction, in either form.
func words(rest string) []string {
	var list []string
	if json.Unmarshal([]byte(rest), &list) == nil {
		return list
	}
	if rest == "" {
		return nil
	}
	return []string{"/bin/sh", "-c", rest}
}
