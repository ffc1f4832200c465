package requests

import "regexp"

// ARNPattern is the form of the ARN of an IAM user, or of a role without its path: for a role that
// was assumed, EKS knows no path.
// https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
const ARNPattern = `^arn:aws[a-z-]*:iam::[0-9]{12}:` +
	`(user/([A-Za-z0-9+=,.@_-]+/){0,50}|role/)[A-Za-z0-9+=,.@_-]{1,64}$`

// MaxARN bounds an ARN, in characters: the path of an IAM user has at most 512.
const MaxARN = 620

// AWSUserPattern is the form of a user name that the list of aws-auth is given: one that is no
// plain text there would spoil the list for everybody.
const AWSUserPattern = `^[A-Za-z0-9][A-Za-z0-9._@+-]{0,252}$`

var (
	arnPattern     = regexp.MustCompile(ARNPattern)
	awsUserPattern = regexp.MustCompile(AWSUserPattern)
)

// FormARN is the form of an ARN.
var FormARN = Form{Rule: "arn", Pattern: ARNPattern, Max: MaxARN, Check: CheckARN}

// CheckARN tells what is wrong with the ARN of a person; empty when nothing is.
func CheckARN(s string) string {
	const form = "the ARN of an IAM user, or of a role without its path, such as " +
		"arn:aws:iam::111122223333:user/alice"
	if len(s) > MaxARN {
		return "it must be " + form
	}
	return mustMatch(arnPattern, s, form)
}

// CheckAWSUser tells what is wrong with a user name that aws-auth is to give; empty when nothing
// is.
func CheckAWSUser(s string) string {
	return mustMatch(awsUserPattern, s, "a name that aws-auth can hold: 1 to 253 letters, digits "+
		"and . _ @ + - inside, as the person has an ARN")
}
