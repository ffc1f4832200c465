package policies

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/pullgrant/pullgrant/requests"
)

// Bounds of an expression. Who proposes a policy has nobody's approval yet, so that even what is
// written to be slow must end soon wherever the proposal is judged.
const (
	maxExpression = 1000  // characters
	maxNodes      = 500   // of what it is parsed into, with what macros become
	maxNesting    = 50    // of parts in parts
	maxLoops      = 2     // of all, exists, map and filter in each other
	maxRegexp     = 2000  // instructions of a regular expression
	maxCost       = 10000 // of evaluating it once, as CEL counts
	maxValues     = 20000 // that it holds at once
)

// What conditions see of a request: with what the policy fills in, so that leaving a field out of
// the request is no way around one. What holds in the whole cluster has the namespace wholeCluster.
type conditionRequest struct {
	Name       string         `cel:"name"`
	Cluster    string         `cel:"cluster"`
	Policy     string         `cel:"policy"`
	Namespaces []string       `cel:"namespaces"`
	Roles      []string       `cel:"roles"`
	Resources  []string       `cel:"resources"`
	Duration   time.Duration  `cel:"duration"`
	NotBefore  time.Time      `cel:"notBefore"`
	Reason     string         `cel:"reason"`
	Fields     map[string]any `cel:"fields"`
}

type conditionRequester struct {
	Login  string   `cel:"login"` // as identities.yaml writes it
	Groups []string `cel:"groups"`
}

type conditionPolicy struct {
	Name        string        `cel:"name"`
	MaxDuration time.Duration `cel:"maxDuration"`
	Clusters    []string      `cel:"clusters"`
}

const wholeCluster = "*"

// Names in expressions: of the variables, and of the types that are seen in messages.
const (
	varRequest, varRequester, varPolicy, varNow = "request", "requester", "policy", "now"

	typeRequest, typeFields = "Request", "Fields"
)

// everyVariable is all that an expression can depend on.
func everyVariable() []*cel.AttributePatternType {
	return []*cel.AttributePatternType{cel.AttributePattern(varRequest),
		cel.AttributePattern(varRequester), cel.AttributePattern(varPolicy),
		cel.AttributePattern(varNow)}
}

// language is what every expression may say. It takes a while to make, so that it is made when there
// is an expression.
var language = sync.OnceValues(func() (*cel.Env, error) {
	named := func(name string) cel.NativeTypeOption { return cel.NativeTypeAlias(name) }
	tags := types.ParseStructTags(true)
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(
			env.NewFunction(overloads.TypeConvertDyn)))), // what has no type could be misspelt
		cel.Types(cel.NativeTypeFor[conditionRequest](named(typeRequest), tags),
			cel.NativeTypeFor[conditionRequester](named("Requester"), tags),
			cel.NativeTypeFor[conditionPolicy](named("Policy"), tags)),
		cel.Variable(varRequest, cel.ObjectType(typeRequest)),
		cel.Variable(varRequester, cel.ObjectType("Requester")),
		cel.Variable(varPolicy, cel.ObjectType("Policy")),
		cel.Variable(varNow, cel.TimestampType),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), // a number field is a double, and people write 5
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(), cel.ValidateComprehensionNestingLimit(maxLoops)),
	)
})

// vocabulary gives request.fields the fields that a policy declares, with their types, and has what
// a request does not say be an error where it is read: has(request.notBefore) asks first.
type vocabulary struct {
	types.Provider
	fields []CustomField
}

func (v vocabulary) FindStructType(name string) (*types.Type, bool) {
	if name == typeFields {
		return types.NewTypeTypeWithParam(types.NewObjectType(typeFields)), true
	}
	return v.Provider.FindStructType(name)
}

func (v vocabulary) FindStructFieldNames(name string) (names []string, ok bool) {
	if name != typeFields {
		return v.Provider.FindStructFieldNames(name)
	}
	for _, f := range v.fields {
		names = append(names, f.Name)
	}
	return names, true
}

func (v vocabulary) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name == typeFields {
		return v.customField(field)
	}
	found, ok := v.Provider.FindStructFieldType(name, field)
	if !ok || name != typeRequest {
		return found, ok
	}
	its := *found
	switch field {
	case "fields":
		its.Type = types.NewObjectType(typeFields)
	case "notBefore":
		its.GetFrom = func(object any) (any, error) {
			if !found.IsSet(object) {
				return nil, errors.New("the request has no notBefore; ask has(request.notBefore) first")
			}
			return found.GetFrom(object)
		}
	}
	return &its, true
}

func (v vocabulary) customField(name string) (*types.FieldType, bool) {
	i := slices.IndexFunc(v.fields, func(f CustomField) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	get := func(object any) (any, bool) {
		all, _ := object.(map[string]any)
		value, ok := all[name]
		return value, ok
	}
	return &types.FieldType{Type: v.fields[i].celType(),
		IsSet: func(object any) bool { _, ok := get(object); return ok },
		GetFrom: func(object any) (any, error) {
			if value, ok := get(object); ok {
				return value, nil
			}
			return nil, fmt.Errorf("the request has no field %s; ask has(request.fields.%[1]s) first",
				name)
		}}, true
}

// program is an expression that is ready to be evaluated, by many at once, or what is wrong with it.
type program struct {
	run     cel.Program
	problem string
}

// programs keeps what was compiled by the text of the expression and of what it may name. What is
// made of a text takes far more room than the text.
var programs = memo{most: 64 << 10}

// compile makes an expression ready under a policy with these fields.
func compile(expression string, fields []CustomField) program {
	var names strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&names, "%s %s,", f.Name, f.Type)
	}
	p, _ := readOnce(&programs, names.String(), expression,
		func(string, []byte) (program, []requests.Finding) {
			return compiled(expression, fields), nil
		})
	return p
}

func compiled(expression string, fields []CustomField) program {
	words, err := language()
	if err == nil {
		words, err = words.Extend(func(e *cel.Env) (*cel.Env, error) {
			return cel.CustomTypeProvider(vocabulary{e.CELTypeProvider(), fields})(e)
		})
	}
	if err != nil {
		panic("policies: the language of conditions: " + err.Error()) // it is the same for every policy
	}
	ast, issues := words.Compile(expression)
	if err := issues.Err(); err != nil {
		first := issues.Errors()[0]
		problem := inLine(first.Message)
		if at := first.Location; at.Line() > 0 { // what is wrong with all of it has no place
			problem += fmt.Sprintf(" (at %d:%d of the expression)", at.Line(), at.Column()+1)
		}
		return program{problem: problem}
	}
	if ast.OutputType() != cel.BoolType {
		return program{problem: fmt.Sprintf("it is a %s; it must be true or false",
			cel.FormatCELType(ast.OutputType()))}
	}
	run, err := words.Program(ast, cel.CostLimit(maxCost), cel.MemoryLimit(maxValues),
		cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return program{problem: inLine(err.Error())}
	}
	return program{run: run}
}

// Answers of an expression.
type answer int

const (
	answerFalse   answer = iota // the zero value refuses
	answerTrue                  // it holds
	answerUnknown               // it depends on what is not known
)

// holds evaluates the expression over the variables, of which some, or parts of some, may be
// unknown. An error is why there is no answer.
func (p program) holds(variables map[string]any,
	unknown ...*cel.AttributePatternType) (answer, error) {
	if p.run == nil {
		return answerFalse, errors.New(p.problem)
	}
	world, err := cel.PartialVars(variables, unknown...)
	if err != nil {
		return answerFalse, err
	}
	out, _, err := p.run.Eval(world)
	switch {
	case err != nil:
		return answerFalse, errors.New(inLine(err.Error()))
	case types.IsUnknown(out):
		return answerUnknown, nil
	case out == types.True:
		return answerTrue, nil
	}
	return answerFalse, nil
}

// inLine is what CEL says, on one line that is not too long.
func inLine(text string) string {
	const most = 200
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
