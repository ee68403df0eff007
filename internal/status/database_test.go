package status

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// served is an engine whose PostgreSQL says so.
type served struct {
	docker
	says string
	err  error
}

func (d served) Exec(_ context.Context, _, workload string, command ...string) (string, error) {
	if workload != "postgres" || command[0] != "psql" || !slices.Contains(command, "/var/run/postgresql") {
		return "", errors.New("nobody is asked so")
	}
	return d.says, d.err
}

func TestADatabaseTellsOfItself(t *testing.T) {
	for name, test := range map[string]struct {
		engine      served
		none        bool
		line, wrong string
	}{
		"all is well":             {served{says: `{"version":"18.6","bytes":1288490189,"connections":41,"most":150}` + "\n"}, false, "database  PostgreSQL 18.6, 1.2G, 41 of 150 connections\n", ""},
		"it is archived":          {served{says: `{"version":"18.6","bytes":1288490189,"connections":41,"most":150,"archives":true,"archived":23,"fails":""}`}, false, "41 of 150 connections, archived 23s ago\n", ""},
		"nothing is archived yet": {served{says: `{"version":"18.6","bytes":1288490189,"connections":41,"most":150,"archives":true,"archived":null,"fails":""}`}, false, "connections, nothing archived yet\n", ""},
		"archiving fails":         {served{says: `{"version":"18.6","bytes":1288490189,"connections":41,"most":150,"archives":true,"archived":7300,"fails":"0001"}`}, false, "archived 2h ago\n", "what is written to the database does not come to the archive (0001): make logs SERVICE=postgres says why"},
		"no answer":               {served{err: errors.New("it is not running")}, false, "", "the database can't be seen: it is not running"},
		"another answer":          {served{says: "psql: error"}, false, "", "the database can't be seen: "},
		"none is there":           {served{err: errors.New("nobody should ask")}, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, out := Status{}, Outputs{Services: map[string]Service{"postgres": {Replicas: 1}}}
			if test.none {
				out.Services = nil
			}
			s.asksDatabase(t.Context(), "tarot-test", out, test.engine)
			var text strings.Builder
			if err := s.Write(&text); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), "database  ") != (test.line != "") || !strings.Contains(text.String(), test.line) {
				t.Errorf("%s", text.String())
			}
			if said := strings.Join(s.Problems, ""); (said != "") != (test.wrong != "") || !strings.HasPrefix(said, test.wrong) {
				t.Errorf("%s, want %s", said, test.wrong)
			}
		})
	}
}
