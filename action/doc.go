// Package action is the GitHub Action: an event names pull requests, their facts are gathered and
// judged, and the verdict becomes a check run on each head commit, lines in the log, a step summary
// and outputs.
//
// Text from a pull request is hostile. It reaches only escaped log commands and escaped Markdown;
// outputs carry fixed words, numbers and commit names.
package action
