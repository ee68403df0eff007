package process

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// start is when a process was started, as the kernel counts; empty where there is none, or it has
// ended and nobody has asked how. known is false where that can't be told.
func start(number int) (text string, known bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(number) + "/stat")
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat("/proc/self/stat") // is this /proc at all?
		return "", err == nil
	}
	if err != nil {
		return "", strings.Contains(err.Error(), "no such process")
	}
	// The second word is the program's name, in (), and may have any character.
	text = string(stat)
	words := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	const state, started = 0, 19 // of what comes after the name
	if len(words) <= started {
		return "", false
	}
	if words[state] == "Z" || words[state] == "X" {
		return "", true
	}
	return words[started], true
}

// place is by whose numbers a process is known: the machine's since it was started, in a namespace.
func place() []string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil
	}
	return []string{strings.TrimSpace(string(boot)), namespace}
}
