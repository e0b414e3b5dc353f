// Command yaml reads YAML and JSON documents as kubectl does, and prints each as a line of JSON: {"value": …} with what
// kubectl would send, or {"error": "…"}. "repeated" means that the document has a duplicate key, which kubectl accepts.
// Documents on the standard input are separated by zero bytes.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

type reading struct {
	Value    json.RawMessage `json:"value,omitempty"`
	Error    string          `json:"error,omitempty"`
	Repeated string          `json:"repeated,omitempty"`
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "yaml:", err)
		os.Exit(2)
	}
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for _, document := range split(input) {
		if err := encoder.Encode(read(document)); err != nil {
			fmt.Fprintln(os.Stderr, "yaml:", err)
			os.Exit(2)
		}
	}
	if err := output.Flush(); err != nil {
		os.Exit(2)
	}
}

func split(input []byte) [][]byte {
	var documents [][]byte
	start := 0
	for at, character := range input {
		if character == 0 {
			documents = append(documents, input[start:at])
			start = at + 1
		}
	}
	return documents
}

// A parser that panics has not read anything either.
func read(document []byte) (outcome reading) {
	defer func() {
		if cause := recover(); cause != nil {
			outcome = reading{Error: fmt.Sprint("panic: ", cause)}
		}
	}()
	value, err := document, error(nil)
	if !isJSON(document) {
		value, err = yaml.YAMLToJSON(document)
	}
	if err != nil {
		return reading{Error: err.Error()}
	}
	// Strict reading has only this one thing more to say; of JSON it may fail for another reason.
	if _, err := yaml.YAMLToJSONStrict(document); err != nil && strings.Contains(err.Error(), "already set in map") {
		return reading{Value: value, Repeated: err.Error()}
	}
	return reading{Value: value}
}

// What begins with a brace is read as JSON if it is.
func isJSON(document []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(document, " \t\r\n"), []byte("{")) && json.Valid(document)
}
