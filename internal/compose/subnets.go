package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// ours are the addresses that stack files have by default, a third number for each network.
var ours = regexp.MustCompile(`\b10\.213\.([0-9]{1,3})\.0/24`)

// Subnets are three networks that no stack file in the folder has, as two stacks on one engine
// can't share one.
func Subnets(folder string) (free [3]string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "Pulumi.*.yaml"))
	if err != nil {
		return free, err
	}
	taken := map[int]bool{0: true, 1: true, 2: true} // of a stack file that says nothing
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return free, err
		}
		for _, found := range ours.FindAllStringSubmatch(string(text), -1) {
			third, _ := strconv.Atoi(found[1])
			taken[third] = true
		}
	}
	const numbers = 256
	n := 0
	for third := 0; third < numbers && n < len(free); third++ {
		if !taken[third] {
			free[n] = fmt.Sprintf("10.213.%d.0/24", third)
			n++
		}
	}
	if n < len(free) {
		return free, fmt.Errorf("the stack files in %s have all networks of 10.213.0.0/16 between them", folder)
	}
	return free, nil
}
