package adminui

import (
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

const (
	// chartDays is how many days the chart of the activity shows.
	chartDays = 14
	// chartHigh is the height of the drawing, chartStep the width of one day.
	chartHigh, chartStep = 120, 40
)

// chart is how the connections last seen on each day were answered, drawn by
// the template. It is nil where there is nothing to draw.
type chart struct {
	Width, Height int
	Days          []chartDay
	// Part says that not all of them could be counted.
	Part bool
}

// chartDay is one column.
type chartDay struct {
	In, Waiting, Refused int
	Day                  string
	X, TextX             int
	InY, InH             int
	WaitY, WaitH         int
	OutY, OutH           int
}

// chart counts the connections of the last days by how they were answered when
// they were last seen, with the padlock as it was.
func (v *visit) chart(app string) (*chart, error) {
	apps := v.applications()
	if app != "" {
		apps = []string{app}
	}
	today := dayStart(v.now)
	c := &chart{Width: chartDays * chartStep, Height: chartHigh, Days: make([]chartDay, chartDays)}
	starts := make([]time.Time, chartDays)
	for i := range starts {
		starts[i] = today.AddDate(0, 0, i-chartDays+1)
	}
	for _, id := range apps {
		looked := 0
		err := v.eachConnection(gridQuery{Application: id, Window: "30"}, func(con books.Connection) bool {
			if con.Last.Before(starts[0]) {
				return false
			}
			at := 0
			for at < chartDays-1 && !con.Last.Before(starts[at+1]) {
				at++
			}
			switch con.Answer {
			case access.LetIn:
				c.Days[at].In++
			case access.Deny:
				c.Days[at].Refused++
			case access.Approval, access.Biopass:
				c.Days[at].Waiting++
			}
			looked++
			c.Part = c.Part || looked == gridLook
			return looked < gridLook
		})
		if err != nil {
			return nil, err
		}
	}
	most := 0
	for _, d := range c.Days {
		most = max(most, d.In+d.Waiting+d.Refused)
	}
	if most == 0 {
		return nil, nil
	}
	for i := range c.Days {
		d := &c.Days[i]
		d.Day, d.X, d.TextX = starts[i].Format("02/01"), i*chartStep+6, i*chartStep+chartStep/2
		if v.say.Tag() == "en" {
			d.Day = starts[i].Format("Jan 2")
		}
		tall := func(n int) int {
			if n == 0 {
				return 0
			}
			return max(n*(chartHigh-4)/most, 2)
		}
		d.InH, d.WaitH, d.OutH = tall(d.In), tall(d.Waiting), tall(d.Refused)
		d.InY = chartHigh - d.InH
		d.WaitY = d.InY - d.WaitH
		d.OutY = max(d.WaitY-d.OutH, 0)
	}
	return c, nil
}
