package picture

import (
	"fmt"
	"regexp"
	"strings"
)

// place is where a document has a picture: a comment that names it, the picture, and a comment that
// ends it.
var place = regexp.MustCompile(`(?s)(<!-- picture: (\S+) (\S+)\. [^\n]*-->\n)(.*?)(<!-- end of the picture -->\n)`)

const begins = "<!-- picture:"

// Fill is a document with its pictures drawn anew.
func Fill(document string, draw func(stack, kind string) (string, error)) (string, error) {
	places := place.FindAllStringSubmatchIndex(document, -1)
	if n := strings.Count(document, begins); len(places) != n || n == 0 {
		return "", fmt.Errorf("%d places for pictures, of which %d are whole: each is `%s STACK KIND. … -->`, the picture, and `<!-- end of the picture -->`, lines of their own", n, len(places), begins)
	}
	var filled strings.Builder
	at := 0
	for _, p := range places {
		picture, err := draw(document[p[4]:p[5]], document[p[6]:p[7]])
		if err != nil {
			return "", err
		}
		filled.WriteString(document[at:p[3]] + "```mermaid\n" + picture + "```\n")
		at = p[9]
	}
	filled.WriteString(document[at:])
	return filled.String(), nil
}
