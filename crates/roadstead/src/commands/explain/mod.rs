//! Why a task is where it is, or nowhere: asks the API what there is, lets the same planner decide that the service
//! has, and says for each instance what stands against it, with numbers.

mod told;
mod world;

use anyhow::{Context as _, Result, anyhow, bail};
use roadstead_agent::api::Client;
use roadstead_api_ecs::{
    DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, DescribeTasksRequest,
    DescribeTasksResponse, LaunchType, Task, TaskDefinition,
};
use roadstead_base::SystemClock;
use roadstead_placement::{Demand, Query, Strategy, place};

use crate::client::Place;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: Place,
    /// A task's id or ARN
    #[arg(
        required_unless_present = "task_definition",
        conflicts_with = "task_definition"
    )]
    task: Option<String>,
    /// The cluster
    #[arg(long, default_value = "default", value_name = "NAME")]
    cluster: String,
    /// Explain where a task of this definition would go, `family` or `family:revision`
    #[arg(long, value_name = "DEFINITION")]
    task_definition: Option<String>,
    /// The task's group [default: family:NAME]
    #[arg(long, value_name = "GROUP", requires = "task_definition")]
    group: Option<String>,
    /// A constraint in the cluster query language, as `attribute:rack == 7`; more than once for several
    #[arg(long, value_name = "EXPRESSION", value_parser = expression)]
    member_of: Vec<Query>,
    /// Not where a task of the group is
    #[arg(long)]
    distinct_instance: bool,
    /// `random`, `binpack=cpu`, `binpack=memory`, `spread=instanceId` or `spread=attribute:NAME`; in a chain by more of it
    #[arg(long, value_name = "STRATEGY", value_parser = strategy)]
    strategy: Vec<Strategy>,
}

fn expression(text: &str) -> Result<Query, String> {
    Query::parse(text).map_err(|error| error.to_string())
}

fn strategy(text: &str) -> Result<Strategy, String> {
    let (kind, field) = text.split_once('=').unwrap_or((text, ""));
    Strategy::parse(kind, field).map_err(|error| error.to_string())
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let client = args.at.client(std::sync::Arc::new(SystemClock))?;
    let (named, group) = match &args.task {
        None => (
            args.task_definition.clone().unwrap_or_default(),
            args.group.clone(),
        ),
        Some(id) => {
            let task = find_task(&client, &args.cluster, id).await?;
            for line in told::task(&task) {
                println!("{line}");
            }
            if task.launch_type == Some(LaunchType::Fargate) {
                println!("It runs on Fargate capacity, of which no instances are shown.");
                return Ok(());
            }
            println!();
            (task.task_definition_arn.unwrap_or_default(), task.group)
        }
    };
    let definition = find_definition(&client, &named).await?;
    let group =
        group.unwrap_or_else(|| format!("family:{}", definition.family.as_deref().unwrap_or_default()));
    let mut demand: Demand = roadstead_ecs::demand(&definition, &group)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("reading the task definition {named}"))?;
    demand.member_of.extend(args.member_of);
    demand.distinct_instance = args.distinct_instance;
    demand.strategies = args.strategy;
    let world = world::World::look(&client, &args.cluster).await?;
    let plan = place(&world.snapshot, &demand, 1, 0);
    for line in told::verdict(&world, &definition, &demand, &args.cluster, &plan) {
        println!("{line}");
    }
    Ok(())
}

async fn find_task(client: &Client, cluster: &str, id: &str) -> Result<Task> {
    let request = DescribeTasksRequest {
        cluster: Some(cluster.to_owned()),
        tasks: vec![id.to_owned()],
        include: None,
    };
    let answer: DescribeTasksResponse = client.call("DescribeTasks", request).await?;
    match answer.tasks.unwrap_or_default().pop() {
        Some(task) => Ok(task),
        None => bail!("the cluster {cluster} has no task {id}; one that could not be placed was never made"),
    }
}

async fn find_definition(client: &Client, named: &str) -> Result<TaskDefinition> {
    let request = DescribeTaskDefinitionRequest {
        task_definition: named.to_owned(),
        include: None,
    };
    let answer: DescribeTaskDefinitionResponse = client.call("DescribeTaskDefinition", request).await?;
    answer
        .task_definition
        .context("the answer has no task definition")
}
