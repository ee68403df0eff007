// Command stack looks at a deployed stack (`make status`, `make logs`, `make releases`),
// takes it from release to release (`make rollback`, `make forward`, `make rotate`), brings back
// what it has stored (`make restore`), moves its database (`make database-move`), tries
// whether its alerts are heard (`make test-alert`), previews it for a pull request, and
// writes the file of one for a Compose project (`make import`). It enters what runs (exec,
// console), runs a command beside it (run), asks its database (db), and shows its maintenance page.
// What it knows of the stack is its outputs and its configuration, by Pulumi's CLI, and
// what the Docker engine says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"tarot-platform/internal/console"
	"tarot-platform/internal/engine"
	"tarot-platform/internal/state"
)

// Exit codes: something is wrong with the stack, or was not done; it can't be told; a command that
// was to run inside was not run, or was interrupted.
const (
	exitWrong       = 1
	exitUnknown     = 2
	exitNotRun      = 125
	exitInterrupted = 130
)

// errWrong is told by what was printed already.
var errWrong = errors.New("something is wrong")

// terminalVariable is where setup/stack-run.sh puts TERM. A package of Pulumi's asks the terminal for
// its colours before main, and takes what is typed meanwhile, unless TERM says that there is nobody to
// ask.
const terminalVariable = "STACK_TERM"

func main() {
	if kind, moved := os.LookupEnv(terminalVariable); moved {
		_ = os.Setenv("TERM", kind)
		_ = os.Unsetenv(terminalVariable)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	var undone failed
	var unstarted notRun
	var failure console.Failure
	var exit *engine.ExitError
	switch err := root.ExecuteContext(ctx); {
	case errors.Is(err, errWrong):
		os.Exit(exitWrong)
	case errors.Is(err, errUntold):
		os.Exit(exitUnknown)
	case errors.As(err, &unstarted):
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(exitNotRun)
	case errors.As(err, &exit): // of the command that was to run
		os.Exit(exit.Code)
	case errors.As(err, &failure):
		console.Stderr().Fail(failure)
		os.Exit(exitWrong)
	case errors.As(err, &undone):
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(exitWrong)
	case err != nil:
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(exitUnknown)
	}
}

// rootCommand is the program.
func rootCommand() *cobra.Command {
	root := &cobra.Command{Use: "stack", Short: "look at a deployed stack, work in it, and take it from release to release", SilenceUsage: true, SilenceErrors: true,
		Long: "The operator's tool. It is run from any folder of a checkout, on the stack that -s, $STACK or `pulumi stack select` names.\n" +
			"Exit code 0: done, or all is well; 1: something is wrong, or was not done; 2: it can't be told. What runs a command inside\n" +
			"(exec, console, run, db) ends as that does, and with 125 where it was not run, and 130 where it was interrupted."}
	root.AddCommand(
		statusCommand(),
		preflightCommand(),
		verifyCommand(),
		driftCommand(),
		doctorCommand(),
		auditCommand(),
		firewallCommand(),
		logsCommand(),
		runScheduleCommand(),
		imagesCommand(),
		pictureCommand(),
		guestsCommand(),
		destroyCommand(),
		volumeCopyCommand(),
		newCommand(),
		envCommand(),
		versionCommand(),
		releaseCheckCommand(),
		importCommand(),
		previewCommand(),
		postCommand(),
		previewStateCommand(),
		previewFetchCommand(),
		nightlyCommand(),
		postIssueCommand(),
		testAlertCommand(),
		restoreCommand(),
		restoreMachineCommand(),
		backupCommand(),
		databaseCommand(),
		volumeMoveCommand(),
		scanCommand(),
		sbomCommand(),
		lockCommand(),
		historyCommand(),
		execCommand(),
		consoleCommand(),
		runCommand(),
		dbCommand(),
		maintenanceCommand(),
		openCommand(),
		topCommand(),
		scaleCommand(),
	)
	root.AddCommand(releaseCommands()...)
	choosing(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (%s --help; words of a command that is to run inside come after --)", err, cmd.CommandPath())
	})
	for _, cmd := range all(root) {
		if cmd.Example == "" {
			cmd.Example = examples[cmd.CommandPath()]
		}
	}
	return root
}

// deployed is a stack, as Pulumi knows it.
type deployed struct {
	name, prefix string
	docker       *engine.Engine
}

func open(ctx context.Context, name string) (deployed, error) {
	project, err := project()
	if err != nil {
		return deployed{}, err
	}
	docker, err := engine.Open(ctx)
	return deployed{name, project + "-" + name, docker}, err
}

// project is the name in Pulumi.yaml, which is where this is run.
func project() (string, error) {
	text, err := os.ReadFile("Pulumi.yaml")
	if err != nil {
		return "", err
	}
	var file struct{ Name string }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return "", fmt.Errorf("read Pulumi.yaml: %w", err)
	}
	if file.Name == "" {
		return "", errors.New("there is no name in Pulumi.yaml")
	}
	return file.Name, nil
}

// pulumi asks the CLI, and reads the JSON that it prints.
func pulumi(ctx context.Context, into any, args ...string) error {
	out, err := state.Ask(ctx, append(args, "--json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

// reported prints a report, and ends the command as that says.
func reported(asJSON bool, report any, write func(io.Writer) error, failed, untold bool) error {
	var err error
	if asJSON {
		err = printJSON(report)
	} else {
		err = write(os.Stdout)
	}
	switch {
	case err != nil:
		return err
	case failed:
		return errWrong
	case untold:
		return errUntold
	}
	return nil
}

// printJSON is what --json gives scripts.
func printJSON(v any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
