//! The process around the networks: what it holds, how long it lives, how requests reach it.
//!
//! A [`Server`] holds any number of instances, uploaded blobs and gateways. It ends by itself when nobody has asked
//! it for anything for a while: the client that starts it never stops it.

mod blobs;
mod gateway;
mod hosted;
mod lifetime;
mod listener;
mod port_file;
mod progress;
mod ready;
mod run;
mod subnet;

pub use blobs::{Blob, BlobError, BlobId, Blobs};
pub use gateway::{Gateway, Gateways};
pub use hosted::{Hosted, HostedConfig};
pub use lifetime::Lifetime;
pub use port_file::PortFile;
pub use progress::now_ns;
pub use ready::ReadyNetwork;
pub use run::{Options, RunError, run};
pub use subnet::HostedSubnet;

use crate::http::Reply;
use std::sync::{Arc, Mutex, PoisonError};

/// Version of the PocketIC server whose protocol this one speaks.
pub const POCKET_IC_VERSION: &str = "16.1.0";

/// What `/api/v2/status` calls the software.
pub const IMPL_VERSION: &str = "ic-rescue stand-in for pocket-ic-server 16.1.0";

/// Most instances one server makes in its life.
const MAX_INSTANCES: usize = 10_000;

/// Everything one process holds.
pub struct Server {
    instances: Mutex<Vec<Option<Arc<Hosted>>>>,
    /// Uploaded blobs.
    pub blobs: Blobs,
    /// Ports that serve one instance each.
    pub gateways: Gateways,
    /// When the process ends.
    pub lifetime: Arc<Lifetime>,
    /// Where gateways run.
    pub runtime: tokio::runtime::Handle,
}

impl Server {
    /// A server without instances.
    pub fn new(lifetime: Arc<Lifetime>, runtime: tokio::runtime::Handle) -> Self {
        Self {
            instances: Mutex::default(),
            blobs: Blobs::default(),
            gateways: Gateways::default(),
            lifetime,
            runtime,
        }
    }

    /// Takes an instance in; returns its id.
    ///
    /// # Errors
    /// A text when the server has made too many.
    pub fn add_instance(&self, hosted: Arc<Hosted>) -> Result<usize, String> {
        let mut instances = self.lock();
        if instances.len() >= MAX_INSTANCES {
            return Err(format!(
                "this server has made {MAX_INSTANCES} instances; start another one"
            ));
        }
        instances.push(Some(hosted));
        Ok(instances.len() - 1)
    }

    /// The instance of an id as it stands in a URL.
    ///
    /// # Errors
    /// The reply to send when there is none.
    pub fn instance(&self, id: &str) -> Result<Arc<Hosted>, Reply> {
        let index: usize = id
            .parse()
            .map_err(|_| Reply::error(400, format!("`{id}` is no instance id; use a number")))?;
        match self.lock().get(index) {
            Some(Some(hosted)) => Ok(hosted.clone()),
            Some(None) => Err(Reply::error(
                404,
                format!("instance {index} has been deleted"),
            )),
            None => Err(Reply::error(
                404,
                format!("instance {index} was never created"),
            )),
        }
    }

    /// Deletes an instance; deleting it twice, or one that never was, changes nothing.
    pub fn delete_instance(&self, id: &str) {
        let Ok(index) = id.parse::<usize>() else {
            return;
        };
        let taken = self.lock().get_mut(index).and_then(Option::take);
        if let Some(hosted) = taken {
            hosted.stop_progress();
        }
    }

    /// Whether each instance is available or deleted, by id.
    pub fn instance_states(&self) -> Vec<&'static str> {
        self.lock()
            .iter()
            .map(|instance| match instance {
                Some(_) => "Available",
                None => "Deleted",
            })
            .collect()
    }

    /// Stops everything that runs by itself.
    pub fn shut_down(&self) {
        self.gateways.stop_all();
        for hosted in self.lock().iter_mut().filter_map(Option::take) {
            hosted.stop_progress();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Arc<Hosted>>>> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
