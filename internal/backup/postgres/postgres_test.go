package postgres

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarot-platform/internal/backup/newest"
)

// dump makes one that is good.
func (w world) dump() Manifest {
	w.Helper()
	m, err := w.server.Dump(w.Context(), "app", w.folder)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func TestACopyIsOfOneMoment(t *testing.T) {
	w := newWorld(t)
	m := w.dump()
	if m.Rows["orders"] != 3 || len(m.Rows) != 1 || m.Bytes != 9 || m.Size != 1000 || m.Version != "18.6" || m.Schema == "" {
		t.Errorf("%+v", m)
	}
	read, err := Read(w.folder)
	if err != nil || read.SHA256 != m.SHA256 || !read.At.Equal(m.At) || read.Schema != m.Schema {
		t.Errorf("%+v, %v", read, err)
	}
	if want := []string{m.File, "lock", "manifest.json"}; !slices.Equal(w.there(), want) {
		t.Errorf("there are %q, want %q", w.there(), want)
	}
	for line := range strings.Lines(w.read("calls")) {
		if strings.HasPrefix(line, "pg_dump") && !strings.Contains(line, "--snapshot=00000003-0000001B-1") {
			t.Errorf("of another moment: %s", line)
		}
	}
	if _, err := os.Stat(filepath.Join(w.at, "released")); err != nil {
		t.Error("the moment is held for ever: nothing that was deleted since can go")
	}
}

// A copy that is not whole is none, and takes nothing away.
func TestACopyThatFailsLeavesTheLastOne(t *testing.T) {
	for name, change := range map[string]func(world){
		"the server is away":     func(w world) { w.set("away", "yes") },
		"rows can't be counted":  func(w world) { w.set("rows", `ends["orders", 3]`+"\n") },
		"nothing of it is said":  func(w world) { w.set("rows", "ends\n") },
		"the copy fails":         func(w world) { w.set("fails", "pg_dump --format") },
		"the schema fails":       func(w world) { w.set("fails", "pg_dump --schema") },
		"it can't be read again": func(w world) { w.set("fails", "pg_restore --list") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.dump()
			change(w)
			_, err := w.server.Dump(t.Context(), "app", w.folder)
			if err == nil {
				t.Fatal("it is taken for good")
			}
			if unanswered := errors.As(err, new(Unanswered)); unanswered != (name == "the server is away") {
				t.Errorf("%v", err)
			}
			if want := []string{m.File, "lock", "manifest.json"}; !slices.Equal(w.there(), want) {
				t.Errorf("there are %q, want %q", w.there(), want)
			}
			if read, err := Read(w.folder); err != nil || read.SHA256 != m.SHA256 {
				t.Errorf("%+v, %v", read, err)
			}
		})
	}
}

// Whoever backs the folder up must not find a manifest of one and a copy of the next.
func TestACopyStaysWhileItIsRead(t *testing.T) {
	w := newWorld(t)
	if _, err := Keep(t.Context(), w.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	first := w.dump()
	release, err := Keep(t.Context(), w.folder)
	if err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := newest.Replace(within, w.folder, filepath.Join(w.folder, first.File), ending, first); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it was replaced: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.folder, first.File)); err != nil {
		t.Error(err)
	}
	release()
	if err := os.WriteFile(filepath.Join(w.folder, "app-1.dump.new"), nil, 0o600); err != nil { // of one that was killed
		t.Fatal(err)
	}
	time.Sleep(time.Until(first.At.Truncate(time.Second).Add(time.Second))) // its name has seconds
	second := w.dump()
	if want := []string{second.File, "lock", "manifest.json"}; !slices.Equal(w.there(), want) {
		t.Errorf("there are %q, want %q", w.there(), want)
	}
}

func TestADiskIsNotFilled(t *testing.T) {
	var disk syscall.Statfs_t
	folder := t.TempDir()
	if err := syscall.Statfs(folder, &disk); err != nil {
		t.Fatal(err)
	}
	free := int64(disk.Bavail) * disk.Bsize
	for name, test := range map[string]struct {
		last, size int64
		good       bool
	}{"the last one was small": {1, free * 4, true}, "the last one was large": {free, free, false}, "the first one of a large database": {0, free * 4, false}, "the first one": {0, 1, true}} {
		if err := newest.Room(folder, expected(test.last, test.size)); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What pg_dump says of itself is another thing each time, and says nothing of the database.
func TestASchemaIsTheSameInEachCopy(t *testing.T) {
	const text = "--\n-- Dumped by pg_dump version 18.6\n\n\\restrict aB1\n\nSET lock_timeout = 0;\nCREATE TABLE a (\n    x integer\n);\n\\unrestrict aB1\n"
	was := schema(text, []string{"head public.alembic_version\n(abc)"})
	for name, test := range map[string]struct {
		text, head string
		same       bool
	}{
		"another word":       {strings.ReplaceAll(text, "aB1", "cD2"), "(abc)", true},
		"another version":    {strings.ReplaceAll(text, "18.6", "18.7"), "(abc)", true},
		"another column":     {strings.ReplaceAll(text, "x integer", "x bigint"), "(abc)", false},
		"another migration":  {text, "(abd)", false},
		"without its column": {strings.ReplaceAll(text, "    x integer\n", ""), "(abc)", false},
	} {
		if got := schema(test.text, []string{"head public.alembic_version\n" + test.head}); (got == was) != test.same {
			t.Errorf("%s: the same is %v", name, got == was)
		}
	}
}

const contents = `;
; Archive created at 2026-11-27
3501; 0 0 SCHEMA - stock app
2; 3079 16386 EXTENSION - vector 
3502; 0 0 COMMENT - EXTENSION vector 
224; 1259 16426 TABLE public orders app
3503; 0 0 ACL public TABLE orders app
2104; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES app
3504; 0 16426 TABLE DATA public orders app
`

// An extension is the superuser's to make; all else is the role's, whoever had it.
func TestWhoRestoresWhat(t *testing.T) {
	w := newWorld(t)
	w.set("list", contents)
	w.set("fails", "grants")
	w.set("rows", "")
	told, err := w.server.Load(t.Context(), "/x/app.dump", "app_incoming", "app", "app")
	if err != nil || !strings.Contains(told, "told to") {
		t.Errorf("%q, %v", told, err)
	}
	calls := w.read("calls")
	for _, want := range []string{
		`DROP DATABASE IF EXISTS "app_incoming" WITH (FORCE)`, `CREATE DATABASE "app_incoming" OWNER "app" TEMPLATE template0`, `REVOKE ALL ON DATABASE "app_incoming" FROM PUBLIC`,
		"--dbname=app_incoming /x/app.dump\n3501; 0 0 SCHEMA - stock app\n2; 3079 16386 EXTENSION - vector \n3502; 0 0 COMMENT - EXTENSION vector \n",
		"/x/app.dump\n224; 1259 16426 TABLE public orders app\n3504; 0 16426 TABLE DATA public orders app\n",
		"/x/app.dump\n3503; 0 0 ACL public TABLE orders app\n2104; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES app\n",
		"ANALYZE",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("nothing has %q in\n%s", want, calls)
		}
	}
	for line := range strings.Lines(calls) {
		switch strict, role := strings.Contains(line, "--exit-on-error"), strings.Contains(line, "--role=app"); {
		case !strings.HasPrefix(line, "pg_restore --") || strings.HasPrefix(line, "pg_restore --list"):
		case !strict && !role, !strings.Contains(line, "--no-owner"):
			t.Errorf("%s", line)
		}
	}
	w.set("fails", "pg_restore --exit-on-error --role=app")
	if _, err := w.server.Load(t.Context(), "/x/app.dump", "app_incoming", "app", ""); err == nil {
		t.Error("half of a copy is taken for good")
	}
}
