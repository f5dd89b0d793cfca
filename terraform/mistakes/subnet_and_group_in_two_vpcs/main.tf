# A mistake, made on purpose: the security group belongs to another VPC than the subnet.

module "setting" { # the cluster, the definition, the roles: as they should be
  source = "../setting"

  name    = var.name
  image   = var.image
  cluster = var.cluster
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = var.schedule
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = module.setting.cluster_arn
  role_arn = module.setting.schedule_role_arn

  ecs_target {
    task_definition_arn = module.setting.task_definition_arn_without_revision
    launch_type         = "FARGATE"

    network_configuration {
      subnets          = [aws_subnet.batch.id]
      security_groups  = [aws_security_group.batch.id]
      assign_public_ip = true
    }
  }
}

resource "aws_security_group" "batch" {
  name        = var.name
  description = "Everything out, nothing in"
  vpc_id      = aws_vpc.web.id # the mistake: the subnet is in aws_vpc.batch

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_vpc" "web" {
  cidr_block = "10.31.0.0/16"
}

resource "aws_vpc" "batch" {
  cidr_block = "10.32.0.0/16"
}

resource "aws_internet_gateway" "batch" {
  vpc_id = aws_vpc.batch.id
}

resource "aws_subnet" "batch" {
  vpc_id     = aws_vpc.batch.id
  cidr_block = "10.32.1.0/24"
}

resource "aws_route_table" "batch" {
  vpc_id = aws_vpc.batch.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.batch.id
  }
}

resource "aws_route_table_association" "batch" {
  subnet_id      = aws_subnet.batch.id
  route_table_id = aws_route_table.batch.id
}
