// Package cron says when a schedule is due. The configuration's check and the scheduler that
// runs in the containers (cmd/scheduler) both ask it, so that they can not differ.
package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // images and hosts may have no zones

	"github.com/robfig/cron/v3"
)

// parser takes the five fields of a crontab, and @hourly, @daily, @weekly, @monthly, @yearly:
// as Kubernetes' CronJob does, which has the same library.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// everyHour is what the library marks a field with that is a mere *.
const everyHour = 1 << 63

// Schedule is when something is due.
type Schedule struct {
	fields *cron.SpecSchedule
	zone   *time.Location
}

// Zone is the time zone of the name, of IANA's database.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" { // which is another one on each machine
		return nil, errors.New("it is not in IANA's database")
	}
	return time.LoadLocation(name)
}

// Parse reads a cron expression, whose times are those of the zone.
func Parse(expression, zone string) (Schedule, error) {
	location, err := Zone(zone)
	if err != nil {
		return Schedule{}, fmt.Errorf("time zone %q: %w", zone, err)
	}
	if strings.Contains(expression, "TZ=") {
		return Schedule{}, errors.New("the time zone has a key of its own")
	}
	parsed, err := parser.Parse(expression)
	if err != nil {
		return Schedule{}, err
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok { // @every: it would begin again with each release, and might never be due
		return Schedule{}, errors.New("@every counts from the start of the scheduler; say at which minutes and hours instead")
	}
	fields.Location = time.UTC
	s := Schedule{fields, location}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return s, errors.New("there is no such day")
	}
	return s, nil
}

// Next is when it is due next after a time; the zero time: never.
//
// Where hours are named, the clock on the wall counts: what is due in the hour that is left
// out in spring is due an hour off, and what is due in the one that comes twice in autumn is due
// once. What is due in every hour is so in each that passes.
func (s Schedule) Next(after time.Time) time.Time {
	if s.fields.Hour&everyHour != 0 {
		fields := *s.fields
		fields.Location = s.zone
		return fields.Next(after.In(s.zone))
	}
	wall := onTheWall(after.In(s.zone), time.UTC)
	for {
		if wall = s.fields.Next(wall); wall.IsZero() {
			return wall
		}
		if due := onTheWall(wall, s.zone); due.After(after) {
			return due
		}
	}
}

// onTheWall is the time at which clocks in the zone show what t shows.
func onTheWall(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
}

// Longest is the longest time between two times that it is due: of the first 400, or of those
// of five years, from a day on that is the same always.
func Longest(expression, zone string) (time.Duration, error) {
	schedule, err := Parse(expression, zone)
	if err != nil {
		return 0, err
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	last := schedule.Next(begin)
	var longest time.Duration
	for range 400 {
		next := schedule.Next(last)
		if next.IsZero() {
			break
		}
		longest, last = max(longest, next.Sub(last)), next
		if last.Sub(begin) > 5*365*24*time.Hour {
			break
		}
	}
	return longest, nil
}
