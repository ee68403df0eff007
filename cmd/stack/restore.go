package main

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/internal/backup/journal"
	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/restore"
	"tarot-platform/internal/restore/task"
)

// interrupted are the flags that end an operation, of the name, that was.
func interrupted(cmd *cobra.Command, operation string, goOn, goBack *bool) {
	f := cmd.Flags()
	f.BoolVar(goOn, "continue", false, "finish the "+operation+" that was interrupted")
	f.BoolVar(goBack, "back", false, "take the "+operation+" back that was interrupted")
}

// restoreOptions are what the flags say.
type restoreOptions struct {
	want                     journal.Want
	into, forget             string
	yes, goOn, goBack, lists bool
}

func restoreCommand() *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore STACK",
		Short: "bring back the database and the files of a moment",
		Long: "What it would replace is shown, and asked for. The site has its maintenance page while files are moved.\n" +
			"What was there before is kept, beside it: --list shows it, --forget RUN removes it for good.\n" +
			"Where it is interrupted, whenever that is, --continue finishes it and --back takes it back.",
		Args: cobra.ExactArgs(1),
		RunE: onStack(func(ctx context.Context, d deployed, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.lists || o.into != "" { // nothing of the stack is changed
				return readable(d.restore(ctx, o))
			}
			return readable(d.recorded(ctx, "restore", o.detail(), func() error { return d.restore(ctx, o) }))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.want.At, "at", "latest", "latest, the id of a nightly snapshot, or a moment such as 2026-11-26T14:03:00Z")
	f.StringVar(&o.want.Only, "only", "", "database, files or queue; empty: everything")
	f.StringVar(&o.into, "into", "", "a folder of this machine: what is fetched goes there, and the stack is left alone")
	f.BoolVar(&o.yes, "yes", false, "do not ask: replace what is there, and take it back where it does not run")
	interrupted(cmd, "restore", &o.goOn, &o.goBack)
	f.BoolVar(&o.lists, "list", false, "what earlier restores have replaced and is still kept")
	f.StringVar(&o.forget, "forget", "", "remove for good what the restore of this name has replaced")
	return cmd
}

// readable is an error of a step that a person has to read. Another command's exit code is passed on
// without a word, as that has said what there is to say; a step has told nobody.
func readable(err error) error {
	if errors.As(err, new(*engine.ExitError)) {
		return errors.New(err.Error())
	}
	return err
}

var snapshotID = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// check refuses what can't be, before anything is asked.
func (o restoreOptions) check() error {
	var all []error
	if _, err := time.Parse(time.RFC3339, o.want.At); err != nil && o.want.At != "latest" && !snapshotID.MatchString(o.want.At) {
		all = append(all, fmt.Errorf("AT is %q; allowed: latest, the id of a snapshot (8 to 64 hexadecimal digits), or a moment with its zone, such as 2026-11-26T14:03:00Z", o.want.At))
	}
	if !slices.Contains([]string{journal.Everything, journal.Database, journal.Files, journal.Queue}, o.want.Only) {
		all = append(all, fmt.Errorf("ONLY is %q; allowed: database, files, queue, or nothing for all of them", o.want.Only))
	}
	modes := 0
	for _, is := range []bool{o.into != "", o.goOn, o.goBack, o.lists, o.forget != ""} {
		if is {
			modes++
		}
	}
	if modes > 1 {
		all = append(all, errors.New("one of --into, --continue, --back, --list and --forget at a time"))
	}
	if (o.goOn || o.goBack) && (o.want.At != "latest" || o.want.Only != "") {
		all = append(all, errors.New("what was interrupted knows its moment: --at and --only do not go with --continue and --back"))
	}
	return errors.Join(all...)
}

// detail is what the history says of it.
func (o restoreOptions) detail() string {
	switch {
	case o.forget != "":
		return "forget " + o.forget
	case o.goOn:
		return "continue"
	case o.goBack:
		return "back"
	}
	return strings.TrimSpace(o.want.Only + " of " + o.want.At)
}

func (d deployed) restore(ctx context.Context, o restoreOptions) error {
	out := console.Stderr()
	// What is open is said before anything is asked of Pulumi, which may want a passphrase.
	if held, open, err := d.operating(ctx); err != nil {
		return err
	} else if open && !o.goOn && !o.goBack && !o.lists && o.into == "" && o.forget == "" {
		return held.Unfinished(d.name)
	}
	s, err := d.restorable(ctx)
	if err != nil {
		return err
	}
	r := restore.Restore{Engine: d.docker, Stack: s, Who: engine.Who(), Now: time.Now, People: people(o.yes, out)}
	switch {
	case o.lists:
		return listKept(ctx, r, os.Stdout)
	case o.forget != "":
		return r.Forget(ctx, o.forget)
	case o.into != "":
		return into(ctx, r, o.want, fromHere(o.into), out)
	case o.goOn:
		err = r.Continue(ctx)
	case o.goBack:
		err = r.Back(ctx)
	default:
		out.Step("fetching what is restored; the site goes on")
		err = r.Begin(ctx, o.want)
	}
	if err == nil {
		out.OK("done. What was replaced is kept: stack restore %s --list", d.name)
	}
	return err
}

// asker asks on the terminal. Without one, only --yes answers.
func asker(yes bool, out console.Console) func(question string) (bool, error) {
	in := bufio.NewReader(os.Stdin)
	return func(question string) (bool, error) {
		if yes {
			return true, nil
		}
		if err := askable(); err != nil {
			return false, err
		}
		fmt.Fprintf(out.To, "  %s [yes/no] ", question)
		answer, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return false, err
		}
		return strings.TrimSpace(answer) == "yes", nil
	}
}

// askable is an error where nobody can be asked.
func askable() error {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return errors.New("there is no terminal to ask on, and YES=yes was not given")
	}
	return nil
}

// people are whoever restores.
func people(yes bool, out console.Console) restore.People {
	ask := asker(yes, out)
	return restore.People{
		Tell: func(text string) { out.Note("%s", text) },
		Ask: func(s restore.Shown) (bool, error) {
			for _, line := range shown(s) {
				out.Note("%s", line)
			}
			return ask("Replace what is there by this?")
		},
		GoBack: func(why error) (bool, error) {
			out.Warn("it does not run on what was restored:")
			out.Quote(why.Error())
			return ask("Take the restore back, to what was there before?")
		},
	}
}

// shown is what would be replaced, line by line.
func shown(s restore.Shown) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	moment := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	if d := s.Found.Database; d != nil {
		exact := ""
		if d.Exact > 0 {
			exact = fmt.Sprintf(", to within %s", d.Exact)
		}
		next := ""
		if d.Next != "" {
			next = "; it goes on as " + d.Next
		}
		say("database: from %s, as it was %s%s (%d MB)%s", d.From, moment(d.Moment), exact, d.Bytes>>20, next)
		switch {
		case d.Unreadable != "":
			say("  the one that is there can not be read: %s", d.Unreadable)
		case d.Live == nil:
			say("  there is none now")
		case d.Written.IsZero(): // a server does not tell when
			say("  what was written to the one that is there since then goes: %s ago", time.Since(d.Moment).Round(time.Second))
		default:
			newer := ""
			if d.Written.After(d.Moment) {
				newer = fmt.Sprintf(": %s newer than what is restored", d.Written.Sub(d.Moment).Round(time.Second))
			}
			say("  the one that is there was written last %s%s", moment(d.Written), newer)
		}
		tables := maps.Clone(d.Rows)
		if tables == nil {
			tables = map[string]int64{}
		}
		maps.Copy(tables, d.Live)
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			if now, was := d.Live[table], d.Rows[table]; now != was {
				say("  %-30s %d rows now, %d restored", table, now, was)
			}
		}
		if d.Migrate {
			say("  its tables are of another release: they are migrated by the one that runs")
		}
		if d.Unarchived != "" {
			say("  what was written last may not be in the archive, and then is in what is replaced alone: %s", d.Unarchived)
		}
		if d.Grants != "" {
			say("  not all of its grants could be made: %s", d.Grants)
		}
		if d.Broken > d.LiveBroken {
			say("  %d of its rows refer to rows that are not there (now: %d)", d.Broken, d.LiveBroken)
		}
	}
	if q := s.Found.Queue; q != nil {
		say("queue: as it was %s (%d keys)", moment(q.Moment), q.Keys)
		say("  it comes in the place of all that is in there now: what was put in since then goes, and what was done since then is done again")
	} else if s.Want.Only == journal.Queue {
		say("queue: there is no copy of it")
	}
	if s.Found.Snapshot != "" && (len(s.Found.Volumes) > 0 || s.Want.Has(journal.Files)) {
		say("files: from the snapshot %.8s of %s", s.Found.Snapshot, moment(s.Found.Taken))
		for _, v := range s.Found.Volumes {
			line := fmt.Sprintf("  %-30s %d files replaced, %d added, %d go", v.Name, v.Replaced, v.Added, v.Gone)
			if len(v.Names) > 0 {
				line += ": " + strings.Join(v.Names, ", ")
				if v.Gone > len(v.Names) {
					line += ", …"
				}
			}
			say("%s", line)
		}
	}
	return append(all, "what is replaced stays, beside it, until it is forgotten")
}

func listKept(ctx context.Context, r restore.Restore, out io.Writer) error {
	answer, err := r.List(ctx)
	if err != nil {
		return err
	}
	if j := answer.Journal; j.Open() {
		fmt.Fprintf(out, "%s is not finished: at %q, by %s since %s\n", j.Run, j.Stage, j.Who, j.Began.UTC().Format(time.RFC3339))
	}
	for _, k := range answer.Kept {
		fmt.Fprintf(out, "%s  %d MB of what it has replaced\n", k.Run, k.Bytes>>20)
	}
	return nil
}

// into brings what is wanted to a folder of this machine, which has to be empty or new.
func into(ctx context.Context, r restore.Restore, want journal.Want, folder string, out console.Console) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("INTO is %q, and there is something in it; allowed: a folder that is empty, or not there yet", folder)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	found, err := r.Into(ctx, want, func(archive io.Reader) error { return unpack(archive, root) })
	if err != nil {
		return err
	}
	if d := found.Database; d != nil {
		out.OK("database as it was %s, from %s: %s", d.Moment.UTC().Format(time.RFC3339), d.From, filepath.Join(folder, "database"))
	}
	for _, v := range found.Volumes {
		out.OK("files of the volume %s: %s", v.Name, filepath.Join(folder, v.Name))
	}
	return nil
}

// unpack writes an archive into a folder, and nothing outside of it. The files are of whoever
// restores.
func unpack(archive io.Reader, root *os.Root) error {
	from := tar.NewReader(archive)
	for {
		header, err := from.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// The engine puts all below the name of the folder that was asked for.
		_, name, _ := strings.Cut(path.Clean(header.Name), "/")
		if name == "" || name == path.Base(task.Out) {
			continue
		}
		if err := unpackOne(from, header, root, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func unpackOne(from io.Reader, header *tar.Header, root *os.Root, name string) error {
	mode := fs.FileMode(header.Mode).Perm() | 0o600
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, mode|0o100)
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, from)
		return errors.Join(err, file.Close())
	}
	return nil // a socket or a device is no user's data
}
