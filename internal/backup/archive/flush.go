package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Mark says that all that was committed by At is in the archive.
type Mark struct {
	At  time.Time
	LSN uint64
}

// flushPatience is how long what is committed may take to the archive. The server's archiver is woken for each piece, and
// looks by itself once a minute (PGARCH_AUTOWAKE_INTERVAL): twice that, and the time to send one.
const flushPatience = 150 * time.Second

// Flush waits until all that is committed now is in the archive.
func (a Archive) Flush(ctx context.Context) (m Mark, err error) {
	m.At = time.Now().UTC()
	var at struct{ Segment, LSN string }
	// Where nothing was written since the last piece began, that one is not ended, and the one before it is.
	text, err := a.Server.Ask(ctx, "postgres", "SELECT json_build_object('segment', pg_walfile_name(at - 1), 'lsn', at::text) FROM pg_switch_wal() at;")
	if err == nil {
		err = json.Unmarshal([]byte(text), &at)
	}
	if err == nil {
		m.LSN, err = ParseLSN(at.LSN)
	}
	if err != nil {
		return m, err
	}
	var archived struct {
		There bool
		Why   string
	}
	for end := time.Now().Add(flushPatience); time.Now().Before(end); {
		text, err := a.Server.Ask(ctx, "postgres", `SELECT json_build_object('there', coalesce(last_archived_wal ~ '^[0-9A-F]{24}' AND left(last_archived_wal, 24) >= '`+at.Segment+`', false),
 'why', coalesce(last_failed_wal || ' could not be sent at ' || last_failed_time, '')) FROM pg_stat_archiver;`)
		if err == nil {
			err = json.Unmarshal([]byte(text), &archived)
		}
		if err != nil || archived.There {
			return m, err
		}
		select {
		case <-ctx.Done():
			return m, ctx.Err()
		case <-time.After(recoveryPoll):
		}
	}
	return m, fmt.Errorf("what was written last has not come to the archive within %s: the server's log says why%s", flushPatience, map[bool]string{true: "", false: " (" + archived.Why + ")"}[archived.Why == ""])
}
