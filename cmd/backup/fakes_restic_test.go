package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fakeResticIn has the test's program be a restic whose repository, and whose faults, are files in
// that folder.
const fakeResticIn = "TEST_RESTIC_FOLDER"

func init() {
	at := os.Getenv(fakeResticIn)
	if at == "" || len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-test.") {
		return
	}
	if other := os.Args[1] == "serve" || os.Args[1] == "migrate" || slices.Contains(os.Args, "-config"); !other {
		os.Exit(fakeRestic{at}.run(os.Args[1:]))
	}
}

// fakeRestic does as its folder says:
//
//	COMMAND.codes  exit codes of the next calls, one a line; then 0
//	repository     the repository's id; missing: there is none
//	locks          what is in the way
//	lose, spoil    a file's name that a snapshot does not have, or has otherwise
//	forget.json    what a policy says
//	faults         how many faults a check finds
type fakeRestic struct{ at string }

func (f fakeRestic) path(name ...string) string {
	return filepath.Join(append([]string{f.at}, name...)...)
}

func (f fakeRestic) says(name string) string {
	text, _ := os.ReadFile(f.path(name))
	return strings.TrimSpace(string(text))
}

func (f fakeRestic) run(args []string) int {
	calls, _ := os.OpenFile(f.path("calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fmt.Fprintln(calls, strings.Join(args, " "))
	code := 0
	if codes := strings.Fields(f.says(args[0] + ".codes")); len(codes) > 0 {
		code, _ = strconv.Atoi(codes[0])
		_ = os.WriteFile(f.path(args[0]+".codes"), []byte(strings.Join(codes[1:], "\n")), 0o600)
	}
	if code != 0 && code != resticIncomplete {
		fmt.Fprintf(os.Stderr, `{"message_type":"exit_error","code":%d,"message":"Fatal: told to"}`+"\n", code)
		return code
	}
	if f.says("repository") == "" && args[0] != "init" {
		return resticNone
	}
	if err := f.command(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// values are those of an option.
func values(args []string, option string) (all []string) {
	for i, word := range args[:len(args)-1] {
		if word == option {
			all = append(all, args[i+1])
		}
	}
	return all
}

func (f fakeRestic) command(args []string) error {
	last := args[len(args)-1]
	switch args[0] {
	case "init":
		if f.says("repository") != "" {
			return errors.New("it is there already")
		}
		return os.WriteFile(f.path("repository"), []byte("repository-1"), 0o600)
	case "cat":
		fmt.Printf(`{"version":2,"id":%q}`+"\n", f.says("repository"))
	case "list":
		fmt.Println(f.says("locks"))
	case "backup":
		return f.back(args)
	case "snapshots":
		all := slices.DeleteFunc(f.index(), func(s snapshot) bool {
			return slices.ContainsFunc(values(args, "--tag"), func(tag string) bool { return !slices.Contains(s.Tags, tag) })
		})
		return json.NewEncoder(os.Stdout).Encode(append([]snapshot{}, all...))
	case "tag":
		all := f.index()
		for i, s := range all {
			if s.ID == last {
				all[i].Tags = append(slices.DeleteFunc(s.Tags, func(tag string) bool { return slices.Contains(values(args, "--remove"), tag) }), values(args, "--add")...)
			}
		}
		return f.keep(all)
	case "forget":
		if slices.Contains(args, "--dry-run") {
			if policy := f.says("forget.json"); policy != "" {
				fmt.Println(policy)
				return nil
			}
			return json.NewEncoder(os.Stdout).Encode([]decided{{Keep: f.index()}})
		}
		return f.keep(slices.DeleteFunc(f.index(), func(s snapshot) bool { return slices.Contains(args[1:], s.ID) }))
	case "check":
		faults := f.says("faults")
		count, _ := strconv.Atoi(faults)
		fmt.Printf(`{"message_type":"summary","num_errors":%d}`+"\n", count)
		if faults != "" {
			return errors.New("Fatal: repository contains errors")
		}
	case "restore":
		return f.restore(args)
	case "ls":
		return filepath.WalkDir(f.path("snapshots", last), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			fmt.Printf(`{"message_type":"node","type":"file","path":%q,"size":%d}`+"\n", strings.TrimPrefix(path, f.path("snapshots", last)), info.Size())
			return err
		})
	}
	return nil
}

func (f fakeRestic) index() (all []snapshot) {
	_ = readJSON(f.path("index.json"), &all)
	return all
}

func (f fakeRestic) keep(all []snapshot) error { return writeJSON(f.path("index.json"), all) }

func (f fakeRestic) back(args []string) error {
	all := f.index()
	s := snapshot{ID: fmt.Sprintf("snapshot-%d", len(all)+1), Time: time.Now(), Tags: values(args, "--tag")}
	excluded := values(args, "--exclude")
	for _, source := range args[slices.Index(args, "--")+1:] {
		err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			for _, pattern := range excluded {
				if hit, _ := filepath.Match(pattern, path); hit && d.IsDir() {
					return fs.SkipDir
				} else if hit {
					return nil
				}
			}
			if !d.Type().IsRegular() || d.Name() == f.says("lose") {
				return nil
			}
			text, err := os.ReadFile(path)
			if d.Name() == f.says("spoil") {
				text = append(text, '!')
			}
			return errors.Join(err, put(f.path("snapshots", s.ID, path), text))
		})
		if err != nil {
			return err
		}
	}
	fmt.Println(`{"message_type":"status","percent_done":0.5}`)
	fmt.Printf(`{"message_type":"summary","data_added":200,"data_added_packed":100,"total_bytes_processed":1000,"snapshot_id":%q}`+"\n", s.ID)
	return f.keep(append(all, s))
}

func (f fakeRestic) restore(args []string) error {
	id, to := args[len(args)-1], values(args, "--target")[0]
	from := f.path("snapshots", id)
	included := values(args, "--include")
	if list := values(args, "--include-file"); len(list) > 0 {
		text, err := os.ReadFile(list[0])
		if err != nil {
			return err
		}
		included = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name := strings.TrimPrefix(path, from)
		if len(included) > 0 && !slices.ContainsFunc(included, func(one string) bool {
			return escaped(name) == one || strings.HasPrefix(escaped(name), one+"/")
		}) {
			return nil
		}
		text, err := os.ReadFile(path)
		return errors.Join(err, put(filepath.Join(to, name), text))
	})
}

// put writes a file, and the folders that it is in.
func put(path string, text []byte) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644))
}
