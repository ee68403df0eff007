package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Load brings a copy into a new database that belongs to a role, as all does that is in it: roles
// are the stack's, and no copy's. What the server lets into another database, like, and how
// that is set, it does with this one; empty: there is none. A database of that name that is there
// goes away. told are grants that could not be made, to roles that are not there any more.
func (s Server) Load(ctx context.Context, file, database, owner, like string) (told string, err error) {
	if err := s.Drop(ctx, database); err != nil {
		return "", err
	}
	if _, err := s.Ask(ctx, "postgres", "SET client_min_messages = warning;\nCREATE DATABASE "+quoted(database)+" OWNER "+quoted(owner)+" TEMPLATE template0;\nREVOKE ALL ON DATABASE "+quoted(database)+" FROM PUBLIC;\n"); err != nil {
		return "", err
	}
	list, err := s.Run(ctx, "pg_restore", "--list", file)
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "load")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil { //nolint:gosec // whoever runs the programs reads lists of names in it
		return "", err
	}
	superusers, grants, others := sorted(list)
	restore := func(name, entries string, words ...string) error {
		if entries == "" {
			return nil
		}
		names := filepath.Join(work, name)
		if err := os.WriteFile(names, []byte(entries), 0o644); err != nil { //nolint:gosec // as above
			return err
		}
		_, err := s.Run(ctx, "pg_restore", append(words, "--no-owner", "--use-list="+names, "--dbname="+database, file)...)
		return err
	}
	// Nobody but the superuser may make every extension.
	if err := restore("superuser", superusers, "--exit-on-error"); err != nil {
		return "", err
	}
	if _, err := s.Ask(ctx, database, "SET client_min_messages = warning;\n"+fmt.Sprintf(schemas, literal(owner))); err != nil {
		return "", err
	}
	if err := restore("others", others, "--exit-on-error", "--role="+owner); err != nil {
		return "", err
	}
	if err := restore("grants", grants, "--role="+owner); err != nil {
		if errors.As(err, new(Unanswered)) || ctx.Err() != nil {
			return "", err
		}
		told = err.Error()
	}
	if like != "" {
		if _, err := s.Ask(ctx, "postgres", strings.NewReplacer("LIKE_", literal(like), "NEW_", literal(database)).Replace(alike)); err != nil {
			return told, err
		}
	}
	// How rows are spread is in no copy, and plans are made by it.
	_, err = s.Ask(ctx, database, "ANALYZE;\n")
	return told, err
}

// Drop removes a database, with whoever is in it.
func (s Server) Drop(ctx context.Context, database string) error {
	_, err := s.Ask(ctx, "postgres", "SET client_min_messages = warning;\nDROP DATABASE IF EXISTS "+quoted(database)+" WITH (FORCE);\n")
	return err
}

var (
	forSuperuser = regexp.MustCompile(`^[0-9]+; [0-9]+ [0-9]+ (SCHEMA - |EXTENSION - |COMMENT - (EXTENSION|SCHEMA) )`)
	grant        = regexp.MustCompile(`^[0-9]+; [0-9]+ [0-9]+ (DEFAULT )?ACL `)
)

// sorted is a copy's list of contents, by who restores what.
func sorted(list string) (superusers, grants, others string) {
	for line := range strings.Lines(list) {
		switch {
		case strings.HasPrefix(line, ";"):
		case forSuperuser.MatchString(line):
			superusers += line
		case grant.MatchString(line):
			grants += line
		default:
			others += line
		}
	}
	return superusers, grants, others
}

// schemas gives all schemas that no extension has brought to a role.
const schemas = `SELECT format('ALTER SCHEMA %%I OWNER TO %%I', nspname, %s) FROM pg_namespace n
 WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e') \gexec
`

// alike lets into a database who is let into another one, and sets what is set for that. A list
// of quoted names is as it is stored already.
const alike = `SELECT format('GRANT %s ON DATABASE %I TO %I', a.privilege_type, NEW_, r.rolname)
  FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = LIKE_ \gexec
SELECT format('ALTER %s SET %I = ' || CASE WHEN split_part(one, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries') THEN '%s' ELSE '%L' END,
              CASE s.setrole WHEN 0 THEN format('DATABASE %I', NEW_) ELSE format('ROLE %I IN DATABASE %I', (SELECT rolname FROM pg_roles WHERE oid = s.setrole), NEW_) END,
              split_part(one, '=', 1), substr(one, strpos(one, '=') + 1))
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) one WHERE d.datname = LIKE_ \gexec
`

// Roles makes the role that all belongs to, where there is none; whoever runs a release on a copy
// logs in as it.
func (s Server) Roles(ctx context.Context, owner string) error {
	_, err := s.Ask(ctx, "postgres", "SELECT 'CREATE ROLE "+quoted(owner)+" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = "+literal(owner)+") \\gexec\n")
	return err
}
