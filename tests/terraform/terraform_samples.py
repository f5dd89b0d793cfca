"""Values that the tests of this room share."""

SUBNET = "subnet-0a1a1a1a1a1a1a1a1"
GROUP = "sg-0c1c1c1c1c1c1c1c1"
"""A subnet and a security group of the local AWS."""

NASTY = 'say "hi" ${upper("x")} ${HOME} %{ if true }$${a} \\n \n\t\r 😀 é <>& # // /* EOT'
"""What would be code, or the end of it, in a careless file."""

HOSTILE = {
    "AWS_PROFILE": "prod",
    "AWS_DEFAULT_PROFILE": "prod",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "token",
    "AWS_ENDPOINT_URL": "https://ecs.example.org",
    "AWS_ENDPOINT_URL_ECS": "https://ecs.example.org",
    "AWS_CA_BUNDLE": "/etc/ca.pem",
    "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_REGION": "us-west-2",
    "TF_CLI_ARGS": "-target=x",
    "TF_CLI_ARGS_apply": "-destroy",
    "TF_VAR_region": "us-west-2",
    "TF_WORKSPACE": "prod",
    "TF_DATA_DIR": "/elsewhere",
    "TF_LOG": "TRACE",
    "TF_REATTACH_PROVIDERS": "{}",
}
"""An environment that means another AWS, and other commands."""
