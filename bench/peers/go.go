// go AT_ONCE COUNT 1.1|2 SETTINGS, with net/http and encoding/json.
// Without arguments it prints its version.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type principal struct {
	ObjectID  string `json:"objectId"`
	TenantID  string `json:"tenantId"`
	UPN       string `json:"upn"`
	LastLogin string `json:"lastNonMfaCompliantRequestDateTime"`
}

type list struct {
	TotalCount int         `json:"totalCount"`
	Items      []principal `json:"items"`
}

var (
	client   *http.Client
	url      = os.Getenv("PCAPI_BASE_URL") + "/v1/nonMfaCompliantPartnerPrincipals"
	token    = "Bearer " + os.Getenv("PCAPI_TOKEN")
	settings string
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func newClient(atOnce int, version string) *http.Client {
	transport := &http.Transport{
		MaxIdleConns:        atOnce,
		MaxIdleConnsPerHost: atOnce,
		TLSClientConfig:     &tls.Config{},
		ForceAttemptHTTP2:   version == "2",
	}
	if version != "2" {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	if file := os.Getenv("PCAPI_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		must(err)
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	return &http.Client{Transport: transport}
}

func get() {
	request, err := http.NewRequest("GET", url, nil)
	must(err)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", token)
	request.Header.Set("X-Sandbox", settings)
	response, err := client.Do(request)
	must(err)
	defer response.Body.Close()
	body := bufio.NewReader(response.Body)
	if mark, _ := body.Peek(3); string(mark) == "\xef\xbb\xbf" {
		body.Discard(3)
	}
	var got list
	must(json.NewDecoder(body).Decode(&got))
	if response.StatusCode != 200 || len(got.Items) == 0 {
		log.Fatal(response.Status)
	}
	io.Copy(io.Discard, body)
}

// Each worker sends one request after another.
func round(atOnce, count int) {
	var workers sync.WaitGroup
	numbers := make(chan struct{}, count)
	for i := 0; i < count; i++ {
		numbers <- struct{}{}
	}
	close(numbers)
	for i := 0; i < atOnce; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for range numbers {
				get()
			}
		}()
	}
	workers.Wait()
}

func cpu() float64 {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	if len(os.Args) < 5 {
		fmt.Println(runtime.Version())
		return
	}
	atOnce, err := strconv.Atoi(os.Args[1])
	must(err)
	count, err := strconv.Atoi(os.Args[2])
	must(err)
	settings = os.Args[4]
	client = newClient(atOnce, os.Args[3])
	round(atOnce, count)
	if atOnce > 1 {
		wallBefore, cpuBefore := time.Now(), cpu()
		round(atOnce, count)
		fmt.Println(time.Since(wallBefore).Seconds(), cpu()-cpuBefore)
	}
}
