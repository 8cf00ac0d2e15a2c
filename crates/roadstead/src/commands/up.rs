//! Control plane and node in one process.

use anyhow::Result;

use crate::config::UpArgs;

pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let config = args.settle()?;
    let clock = std::sync::Arc::new(roadstead_base::SystemClock);
    std::fs::create_dir_all(&config.data)?;
    let mut plane = crate::plane::Plane::start(&config, clock).await?;
    let socket = tokio::net::TcpListener::bind(config.listen).await?;
    plane.serve(roadstead_dispatch::Listener { socket, trust: roadstead_dispatch::Trust::UnknownIsRoot, limits: Default::default() });
    println!("{:?}", plane.default_vpc(&config).await?);
    tokio::signal::ctrl_c().await?;
    plane.stop().await;
    Ok(())
}
