package compose

import (
	"regexp"
	"strconv"
	"strings"

	"tarot-platform/internal/config"
)

var (
	secretEnd  = regexp.MustCompile(`(?i)(^|_)(password|passwd|pass|passphrase|pwd|secret|token|key|apikey|credentials?|dsn|salt|auth)$`)
	secretPart = regexp.MustCompile(`(?i)(password|passwd|secret|private_key|access_key|api_key)`)
	publicName = regexp.MustCompile(`(?i)(public|publishable)`)
	pathName   = regexp.MustCompile(`(?i)_(file|path|dir)$`)
	// inText is a password in what need not be a URL for net/url, and a setting of one. What
	// begins with a $ is a variable, and no password.
	inText = regexp.MustCompile(`://[^/?#\s:@]*:[^@\s$][^@\s]*@|` +
		`(?i)\b(?:password|passwd|pwd|secret|token|api[-_]?key)=["']?[^\s$"']|(?:--(?:password|passwd|secret|token|api[-_]?key)|\brequirepass) ["']?[^\s$"']`)
)

// isSecret tells by a variable's name and its value. One too many costs its owner a command,
// and one too few its password.
func isSecret(name, value string) bool {
	if value == "" {
		return false
	}
	if hasPassword(value) || strings.Contains(value, "-----BEGIN") && strings.Contains(value, "PRIVATE KEY") {
		return true
	}
	if _, err := strconv.ParseBool(value); err == nil && value != "1" && value != "0" || publicName.MatchString(name) || pathName.MatchString(name) {
		return false
	}
	if secretEnd.MatchString(name) {
		return true
	}
	_, err := strconv.ParseFloat(value, 64)
	return secretPart.MatchString(name) && err != nil
}

// hasPassword is true for a text that has one in it.
func hasPassword(text string) bool { return config.HasPassword(text) || inText.MatchString(text) }
