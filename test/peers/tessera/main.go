// Tessera's POSIX driver with its persistent antispam, in a loop: for the benchmark.
//
//	tessera-loop DIR CLIENTS ENTRY_BYTES BATCH_SIZE BATCH_AGE
//
// For each line with a count on standard input it appends as many fresh entries, CLIENTS at a time, and prints the
// nanoseconds until each had its index, durably.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	badger "github.com/transparency-dev/tessera/storage/posix/antispam"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: tessera-loop DIR CLIENTS ENTRY_BYTES BATCH_SIZE BATCH_AGE")
	}
	ctx := context.Background()
	clients, size, batch := number(os.Args[2]), number(os.Args[3]), number(os.Args[4])
	age, err := time.ParseDuration(os.Args[5])
	check(err)
	appender, shutdown := open(ctx, os.Args[1], uint(batch), age)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count := number(lines.Text())
		entries := make([]*tessera.Entry, count)
		for i := range entries {
			data := make([]byte, size)
			_, err := rand.Read(data)
			check(err)
			entries[i] = tessera.NewEntry(data)
		}
		start := time.Now()
		run(ctx, appender, entries, clients)
		fmt.Println(time.Since(start).Nanoseconds())
	}
	check(lines.Err())
	check(shutdown(ctx))
}

func open(ctx context.Context, dir string, batch uint, age time.Duration) (*tessera.Appender, func(context.Context) error) {
	secret, _, err := note.GenerateKey(rand.Reader, "bench.example")
	check(err)
	signer, err := note.NewSigner(secret)
	check(err)
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(dir, "log")})
	check(err)
	known, err := badger.NewAntispam(ctx, filepath.Join(dir, "antispam"), badger.AntispamOpts{})
	check(err)
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(batch, age).
		WithAntispam(tessera.DefaultAntispamInMemorySize, known)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	check(err)
	return appender, shutdown
}

// run appends all entries; each of the clients adds the next one when its last one has an index.
func run(ctx context.Context, appender *tessera.Appender, entries []*tessera.Entry, clients int) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for mine := next.Add(1) - 1; mine < int64(len(entries)); mine = next.Add(1) - 1 {
				add(ctx, appender, entries[mine])
			}
		})
	}
	running.Wait()
}

// add waits where the log says that it, or its index of what it knows, is behind.
func add(ctx context.Context, appender *tessera.Appender, entry *tessera.Entry) {
	for {
		index, err := appender.Add(ctx, entry)()
		if errors.Is(err, tessera.ErrPushback) {
			time.Sleep(time.Millisecond)
			continue
		}
		check(err)
		if index.IsDup {
			log.Fatal("an entry of random bytes was known already")
		}
		return
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
