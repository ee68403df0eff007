//go:build !linux && !darwin

package process

// Elsewhere nothing is known of other processes.
func start(int) (text string, known bool) { return "", false }

func place() []string { return nil }
