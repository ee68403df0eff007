// Package process names a process so that another one can tell later whether it is gone.
package process

import (
	"os"
	"strconv"
	"strings"
)

// Self names this process: its number, when it was started, and by whose numbers that is (the
// machine since its start, and the namespace). It is never empty.
func Self() string {
	number := os.Getpid()
	started, _ := start(number)
	return strings.Join(append([]string{strconv.Itoa(number), started}, place()...), " ")
}

// Number is the process's on its machine, for a person to read.
func Number(name string) string {
	number, _, _ := strings.Cut(name, " ")
	return number
}

// Here is true for a process whose numbers are this one's: it can be told whether it is there.
func Here(name string) bool {
	mine := place()
	words := strings.Split(name, " ")
	if len(mine) == 0 || len(words) != 2+len(mine) || words[1] == "" {
		return false
	}
	for i, word := range mine {
		if word == "" || words[2+i] != word {
			return false
		}
	}
	return true
}

// Gone is true where the process has ended, for sure: one of another machine, of before this one's
// last start or of another container is not known to have.
func Gone(name string) bool {
	if !Here(name) {
		return false
	}
	words := strings.Split(name, " ")
	number, err := strconv.Atoi(words[0])
	if err != nil {
		return false
	}
	started, known := start(number)
	return known && started != words[1]
}
