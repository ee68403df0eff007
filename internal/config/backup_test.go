package config

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatIsWrongWithABackup(t *testing.T) {
	const (
		s3   = `"target":"s3://shop/backups?region=eu-central-1","accessKey":"AKIA"`
		sftp = `"target":"sftp://me@store.example:23/home/me","hostKey":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="`
		dav  = `"target":"webdavs://dav.example/x","accessKey":"me"`
	)
	on := func(members string, more ...string) map[string]string {
		return raw(append([]string{"backup", `{"enabled":true` + strings.Replace(","+members, ",}", "}", 1) + `}`}, more...)...)
	}
	off := func(members string) map[string]string { return raw("backup", "{"+members+"}") }
	for name, test := range map[string]struct {
		raw  map[string]string
		want []string // how each line begins that is about it; none: it is right
	}{
		"on":                            {raw("backup", `{"enabled":true}`), nil},
		"a folder":                      {on(`"target":"/mnt/backups"`), nil},
		"S3":                            {on(s3, "backupSecret", "x"), nil},
		"S3, off and incomplete":        {off(`"target":"s3://shop/backups"`), nil},
		"SFTP by a key":                 {on(sftp, "backupSshKey", "x"), nil},
		"SFTP by a password, files not": {on(sftp+`,"files":{"target":"/mnt/files"}`, "backupSecret", "x"), nil},
		"WebDAV and a rest-server":      {on(dav+`,"files":{"target":"rest:https://me@store.example/shop"}`, "backupSecret", "x", "backupFilesSecret", "y"), nil},
		"all keys": {on(`"retention":"24h","timeZone":"Asia/Shanghai","cpus":0.5,"memory":"128m","files":{"cron":"@daily","exclude":["uploads/cache/**"],"keepDaily":1,"keepWeekly":0,"keepMonthly":0,"appendOnly":true},`+
			`"rehearsal":{"cron":"0 4 * * 1","application":false,"maxFiles":"16m"},"replicatorImage":"mirror.example:5000/litestream:v0.5.17","filesImage":"restic/restic@sha256:`+strings.Repeat("0", 64)+`"`, "backupKey", "sixteen-letters!"), nil},

		"S3 without what opens it": {on(`"target":"s3://shop/backups"`), []string{`backup.accessKey: "" is not allowed; allowed: a text without spaces; empty only where`,
			"backupSecret: \"\" is not allowed; allowed: the secret of backup.accessKey, which the target needs: `pulumi config set --secret tarot:backupSecret`"}},
		"SFTP without its key":          {on(`"target":"sftp://me@store.example/x"`), []string{`backup.hostKey: "" is not allowed; allowed: a public key`, `backupSshKey: "" is not allowed; allowed: a private key in OpenSSH's form`}},
		"SFTP by a password":            {on(sftp, "backupSecret", "x"), []string{`backupSshKey: "" is not allowed`}},
		"WebDAV for files":              {on(dav, "backupSecret", "x"), []string{`backup.files.target: "" is not allowed; allowed: as backup.target, without webdavs://`}},
		"WebDAV for files, said":        {on(`"files":{"target":"webdavs://dav.example/x"}`), []string{`backup.accessKey: ""`, `backup.files.target: "webdavs://dav.example/x" is not allowed`, `backupSecret: ""`}},
		"a rest-server for a database":  {off(`"target":"rest:https://store.example/x"`), []string{`backup.target: "rest:https://store.example/x" is not allowed`}},
		"two folders":                   {off(`"target":"/mnt/a","files":{"target":"/mnt/b"}`), []string{`backup.files.target: "/mnt/b" is not allowed`}},
		"a folder beside the volume":    {off(`"files":{"target":"/mnt/b"}`), []string{`backup.files.target: "/mnt/b" is not allowed`}},
		"the same folder, said":         {on(`"target":"/mnt/a","files":{"target":"/mnt/a"}`), nil},
		"nothing that is known":         {off(`"target":"backups"`), []string{`backup.target: "backups" is not allowed; allowed: empty, an absolute path of a folder`}},
		"a password":                    {off(`"target":"sftp://me:word@store.example/x"`), []string{`backup.target: "sftp://me:***@store.example/x" is not allowed`}},
		"WebDAV without TLS":            {off(`"target":"http://dav.example/x"`), []string{`backup.target: "http://dav.example/x" is not allowed`}},
		"the engine's own folder":       {off(`"target":"/var/lib/docker/volumes/x/_data"`), []string{`backup.target: "/var/lib/docker/volumes/x/_data" is not allowed`}},
		"a host's name as a key":        {off(`"hostKey":"store.example ssh-ed25519 AAAA"`), []string{`backup.hostKey: "store.example ssh-ed25519 AAAA" is not allowed`}},
		"a gap":                         {off(`"accessKey":"A B"`), []string{`backup.accessKey: "A B" is not allowed`}},
		"half an hour":                  {off(`"retention":"24h30m"`), []string{`backup.retention: "24h30m0s" is not allowed; allowed: a duration of whole hours, from 24h to 8760h`}},
		"no time":                       {off(`"retention":"12h"`), []string{`backup.retention: "12h0m0s" is not allowed`}},
		"no such day":                   {off(`"files":{"cron":"0 0 31 4 *"}`), []string{`backup.files.cron: "0 0 31 4 *" is not allowed`}},
		"never rehearsed":               {off(`"rehearsal":{"cron":""}`), []string{`backup.rehearsal.cron: "" is not allowed`}},
		"a zone":                        {off(`"timeZone":"Mars"`), []string{`backup.timeZone: "Mars" is not allowed`}},
		"a pattern of the whole":        {off(`"files":{"exclude":["/app/data"]}`), []string{`backup.files.exclude: "/app/data" is not allowed`}},
		"nothing kept":                  {off(`"files":{"keepDaily":0,"keepWeekly":-1,"keepMonthly":1001}`), []string{`backup.files.keepDaily: "0"`, `backup.files.keepMonthly: "1001"`, `backup.files.keepWeekly: "-1"`}},
		"hardly a file":                 {off(`"rehearsal":{"maxFiles":"1m"}`), []string{`backup.rehearsal.maxFiles: "1m" is not allowed`}},
		"too little":                    {off(`"cpus":0,"memory":"64m"`), []string{`backup.cpus: "0"`, `backup.memory: "64m"`}},
		"a Litestream that loses":       {off(`"replicatorImage":"litestream/litestream:0.5.16"`), []string{`backup.replicatorImage: "litestream/litestream:0.5.16" is not allowed; allowed: an image reference of Litestream, 0.5.17 or later: earlier ones wrote, without an error, what could not be restored`}},
		"a Litestream of before":        {off(`"replicatorImage":"litestream/litestream:v0.3.13@sha256:` + strings.Repeat("0", 64) + `"`), []string{`backup.replicatorImage: "litestream/litestream:v0.3.13@sha256:`}},
		"a Litestream of no number":     {off(`"replicatorImage":"mirror.example:5000/litestream:main"`), nil},
		"no image":                      {off(`"replicatorImage":"","filesImage":" "`), []string{`backup.filesImage: " "`, `backup.replicatorImage: ""`}},
		"a short key":                   {on(`"cpus":1`, "backupKey", "fifteen-letters"), []string{"backupKey: a secret of 15 bytes is not allowed; allowed: at least 16 bytes, or none for a generated one"}},
		"one's own of that name":        {on(`"cpus":1`, "schedules", `{"backup-files":{"cron":"@daily","command":["x"]}}`), []string{`schedules: "backup-files" is not allowed`}},
		"one's own of that name, off":   {raw("backup", `{"enabled":false}`, "schedules", `{"backup-files":{"cron":"@daily","command":["x"]}}`), nil},
		"one's own of another name, on": {on(`"cpus":1`, "schedules", `{"backup":{"cron":"@daily","command":["x"]}}`), nil},
		"a service of its name":         {raw("services", `{"backup-replicator":{}}`), []string{`services: "backup-replicator" is not allowed`}},
	} {
		t.Run(name, func(t *testing.T) {
			inProject(t)
			_, err := Load(test.raw)
			var said []string
			if err != nil {
				said = strings.Split(strings.TrimSpace(err.Error()), "\n")
			}
			matches := slices.EqualFunc(said, test.want, func(line, want string) bool { return strings.HasPrefix(line, "tarot:"+want) })
			if !matches {
				t.Errorf("%s\nwant %s", strings.Join(said, "\n"), strings.Join(test.want, "\n"))
			}
			if strings.Contains(strings.Join(said, ""), "word@") {
				t.Error("a password is shown")
			}
		})
	}
}
