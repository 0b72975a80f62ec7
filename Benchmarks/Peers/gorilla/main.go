// gorilla/websocket's client.
//
//	gorilla URL send|recv|rtt binary|text SIZE COUNT
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

func payload(kind string, size int) []byte {
	made := make([]byte, size)
	for i := range made {
		if kind == "text" {
			made[i] = byte('a' + i%26)
		} else {
			made[i] = byte(i % 251)
		}
	}
	if folder := os.Getenv("WSBENCH_DATA"); folder != "" {
		file, err := os.ReadFile(fmt.Sprintf("%s/%s-%d", folder, kind, size))
		check(err)
		copy(made, file)
	}
	return made
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func cpu() (user, system float64) {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()) / 1e9, float64(usage.Stime.Nano()) / 1e9
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 6 {
		log.Fatal("gorilla URL send|recv|rtt binary|text SIZE COUNT")
	}
	url, operation, kind := os.Args[1], os.Args[2], os.Args[3]
	size, err := strconv.Atoi(os.Args[4])
	check(err)
	count, err := strconv.Atoi(os.Args[5])
	check(err)
	data := payload(kind, size)
	messageType := websocket.BinaryMessage
	if kind == "text" {
		messageType = websocket.TextMessage
	}
	dialer := websocket.Dialer{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		EnableCompression: strings.Contains(url, "deflate=1"),
		ReadBufferSize:    1 << 16,
		WriteBufferSize:   1 << 16,
	}
	socket, _, err := dialer.Dial(url, nil)
	check(err)
	// Into one buffer, which its documentation calls fast; text is the application's to check.
	var buffer bytes.Buffer
	receive := func() []byte {
		got, reader, err := socket.NextReader()
		check(err)
		buffer.Reset()
		_, err = buffer.ReadFrom(reader)
		check(err)
		if got == websocket.TextMessage && !utf8.Valid(buffer.Bytes()) {
			log.Fatal("received invalid text")
		}
		return buffer.Bytes()
	}

	var times []float64
	user, system := cpu()
	start := time.Now()
	switch operation {
	case "send":
		for i := 0; i < count; i++ {
			check(socket.WriteMessage(messageType, data))
		}
		if answer := string(receive()); !strings.HasPrefix(answer, "done") {
			log.Fatal("the server says ", answer)
		}
	case "recv":
		check(socket.WriteMessage(websocket.TextMessage, []byte("go")))
		for i := 0; i < count; i++ {
			if len(receive()) != size {
				log.Fatal("received another size")
			}
		}
	default:
		times = make([]float64, count)
		for i := range times {
			sent := time.Now()
			check(socket.WriteMessage(messageType, data))
			receive()
			times[i] = time.Since(sent).Seconds()
		}
	}
	seconds := time.Since(start).Seconds()
	userAfter, systemAfter := cpu()

	line := map[string]any{
		"peer": "gorilla/websocket", "op": operation, "type": kind, "size": size, "count": count,
		"seconds": seconds, "user_cpu": userAfter - user, "sys_cpu": systemAfter - system,
	}
	if times != nil {
		sort.Float64s(times)
		line["p50_us"] = times[len(times)/2] * 1e6
		line["p99_us"] = times[len(times)*99/100] * 1e6
	}
	check(json.NewEncoder(os.Stdout).Encode(line))
	_ = socket.Close()
}
