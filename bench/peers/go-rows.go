// go-rows FORMAT: writes the requests, the newest first, as csv, jsonl, json or table, with net/http
// and the standard library. Without arguments it prints its version.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strconv"
	"text/tabwriter"
)

type entry struct {
	Time        string `json:"requestDateTime"`
	UPN         string `json:"upn"`
	Compliant   bool   `json:"mfaCompliant"`
	Operation   string `json:"operationName"`
	Address     string `json:"ipAddress"`
	Application string `json:"applicationId"`
	Object      string `json:"objectId"`
	Tenant      string `json:"tenantId"`
	Request     string `json:"requestId"`
	Correlation string `json:"correlationId,omitempty"`
}

var names = []string{"requestDateTime", "upn", "mfaCompliant", "operationName", "ipAddress",
	"applicationId", "objectId", "tenantId", "requestId", "correlationId"}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func requests() []entry {
	transport := &http.Transport{TLSClientConfig: &tls.Config{}, ForceAttemptHTTP2: true}
	if file := os.Getenv("PCAPI_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		must(err)
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	request, err := http.NewRequest("GET", os.Getenv("PCAPI_BASE_URL")+"/v1/partnerRequests", nil)
	must(err)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PCAPI_TOKEN"))
	response, err := (&http.Client{Transport: transport}).Do(request)
	must(err)
	defer response.Body.Close()
	if response.StatusCode != 200 {
		log.Fatal(response.Status)
	}
	body := bufio.NewReader(response.Body)
	if mark, _ := body.Peek(3); string(mark) == "\xef\xbb\xbf" {
		body.Discard(3)
	}
	var got struct{ Items []entry }
	must(json.NewDecoder(body).Decode(&got))
	return got.Items
}

func cells(e entry) []string {
	return []string{e.Time, e.UPN, strconv.FormatBool(e.Compliant), e.Operation, e.Address,
		e.Application, e.Object, e.Tenant, e.Request, e.Correlation}
}

func writeTable(out io.Writer, list []entry) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TIME (UTC)\tUSER\tMFA\tOPERATION\tADDRESS\tAPPLICATION ID")
	for _, e := range list {
		mfa := "no"
		if e.Compliant {
			mfa = "yes"
		}
		fmt.Fprintf(table, "%s %s\t%s\t%s\t%s\t%s\t%s\n", e.Time[:10], e.Time[11:19], e.UPN, mfa,
			e.Operation, e.Address, e.Application)
	}
	must(table.Flush())
}

func main() {
	if len(os.Args) < 2 {
		fmt.Println(runtime.Version())
		return
	}
	list := requests()
	sort.SliceStable(list, func(i, j int) bool { return list[i].Time > list[j].Time })
	out := bufio.NewWriterSize(os.Stdout, 65536)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	switch os.Args[1] {
	case "csv":
		writer := csv.NewWriter(out)
		writer.UseCRLF = true
		must(writer.Write(names))
		for _, e := range list {
			must(writer.Write(cells(e)))
		}
		writer.Flush()
		must(writer.Error())
	case "jsonl":
		for _, e := range list {
			must(encoder.Encode(e))
		}
	case "json":
		must(encoder.Encode(list))
	case "table":
		writeTable(out, list)
	}
	must(out.Flush())
}
