// Openload sends requests at a rate that no answer slows down, as many callers do who do not know
// of each other: an open loop. It is the load of overload.py.
//
//	openload -address 127.0.0.1:9000 -path /sleep -phases 500:8,1500:8 -seed 1
//
// For each request it prints when it was due, its status (0: none came), and how many seconds after
// it was due the answer was there; so a wait for a connection counts, too.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type outcome struct {
	due     float64
	status  int
	seconds float64
}

type caller struct {
	conn   net.Conn
	reader *bufio.Reader
}

func ask(address string, request []byte, known *caller, limit time.Duration) (*caller, int) {
	if known == nil {
		conn, err := net.DialTimeout("tcp", address, limit)
		if err != nil {
			return nil, 0
		}
		known = &caller{conn, bufio.NewReader(conn)}
	}
	known.conn.SetDeadline(time.Now().Add(limit))
	if _, err := known.conn.Write(request); err != nil {
		known.conn.Close()
		return nil, 0
	}
	status, err := read(known.reader)
	if err != nil {
		known.conn.Close()
		return nil, 0
	}
	return known, status
}

func read(reader *bufio.Reader) (int, error) {
	line, err := reader.ReadString('\n')
	if err != nil || len(line) < 12 {
		return 0, fmt.Errorf("no answer: %v", err)
	}
	status, err := strconv.Atoi(line[9:12])
	if err != nil {
		return 0, err
	}
	length := 0
	for {
		line, err = reader.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if line == "\r\n" {
			break
		}
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, err
			}
		}
	}
	_, err = reader.Discard(length)
	return status, err
}

func main() {
	address := flag.String("address", "127.0.0.1:8000", "of the server")
	path := flag.String("path", "/", "of the requests")
	phases := flag.String("phases", "100:10", "requests a second and seconds, one after the other")
	most := flag.Int("connections", 4000, "at the same time")
	limit := flag.Duration("timeout", 10*time.Second, "of a request")
	seed := flag.Int64("seed", 1, "of the times at which requests are due")
	flag.Parse()
	request := []byte("GET " + *path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	chance := rand.New(rand.NewSource(*seed))
	places := make(chan struct{}, *most)
	var idle []*caller // the one that was used last is used first
	var lock sync.Mutex
	var due []float64
	start := 0.0
	for _, phase := range strings.Split(*phases, ",") {
		rate, seconds, _ := strings.Cut(phase, ":")
		perSecond, _ := strconv.ParseFloat(rate, 64)
		length, _ := strconv.ParseFloat(seconds, 64)
		for at := start + chance.ExpFloat64()/perSecond; at < start+length; at += chance.ExpFloat64() / perSecond {
			due = append(due, at)
		}
		start += length
	}
	outcomes := make([]outcome, len(due))
	var all sync.WaitGroup
	began := time.Now()
	for n, at := range due {
		when := began.Add(time.Duration(at * float64(time.Second)))
		if wait := time.Until(when); wait > 0 {
			time.Sleep(wait)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			places <- struct{}{}
			var mine *caller
			lock.Lock()
			if last := len(idle) - 1; last >= 0 {
				mine, idle = idle[last], idle[:last]
			}
			lock.Unlock()
			status := 0
			if left := *limit - time.Since(when); left > 0 {
				mine, status = ask(*address, request, mine, left)
			}
			if mine != nil {
				lock.Lock()
				idle = append(idle, mine)
				lock.Unlock()
			}
			<-places
			outcomes[n] = outcome{at, status, time.Since(when).Seconds()}
		}()
	}
	all.Wait()
	out := bufio.NewWriter(os.Stdout)
	for _, each := range outcomes {
		fmt.Fprintf(out, "%.4f %d %.5f\n", each.due, each.status, each.seconds)
	}
	out.Flush()
}
