//! Ports that serve one instance each, as `make_live` asks for: its HTTP interface and the pages of its canisters.

use super::Server;
use super::listener::{Scope, serve};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// Most gateways one server opens in its life.
const MAX_GATEWAYS: usize = 10_000;

/// An open port.
#[derive(Debug)]
pub struct Gateway {
    /// The instance it serves.
    pub instance: usize,
    /// The port.
    pub port: u16,
    /// Hosts at and below which pages are served.
    pub domains: Arc<[String]>,
    task: AbortHandle,
}

/// All gateways of a server; a place becomes empty when its gateway is stopped.
#[derive(Debug, Default)]
pub struct Gateways {
    gateways: Mutex<Vec<Option<Gateway>>>,
}

/// A gateway that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The port cannot be had.
    #[error("Failed to bind to address {address}: {source}")]
    Bind {
        /// Where the gateway should listen.
        address: SocketAddr,
        /// Why it cannot.
        source: std::io::Error,
    },
    /// Enough is enough.
    #[error("this server has opened {MAX_GATEWAYS} gateways; start another one")]
    TooMany,
}

impl Gateways {
    /// Opens a port for an instance, on 127.0.0.1 and on a free port unless told otherwise, that serves pages at
    /// `domains`. Returns the gateway's id and port.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn open(
        &self,
        server: &Arc<Server>,
        instance: usize,
        ip: Option<IpAddr>,
        port: Option<u16>,
        domains: &Arc<[String]>,
    ) -> Result<(usize, u16), GatewayError> {
        let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let address = SocketAddr::new(ip, port.unwrap_or(0));
        let bind = |source| GatewayError::Bind { address, source };
        let mut gateways = self.lock();
        if gateways.len() >= MAX_GATEWAYS {
            return Err(GatewayError::TooMany);
        }
        let listener = std::net::TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let port = listener.local_addr().map_err(bind)?.port();
        let _runtime = server.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(bind)?;
        let scope = Scope::Gateway {
            instance,
            domains: domains.clone(),
        };
        let task = server.runtime.spawn(serve(server.clone(), listener, scope));
        gateways.push(Some(Gateway {
            instance,
            port,
            domains: domains.clone(),
            task: task.abort_handle(),
        }));
        Ok((gateways.len() - 1, port))
    }

    /// Id, instance, port and domains of every open gateway.
    pub fn list(&self) -> Vec<(usize, usize, u16, Arc<[String]>)> {
        self.lock()
            .iter()
            .enumerate()
            .filter_map(|(id, gateway)| {
                let open = gateway.as_ref()?;
                Some((id, open.instance, open.port, open.domains.clone()))
            })
            .collect()
    }

    /// Closes a port; connections that are open stay so until their clients leave.
    pub fn stop(&self, id: usize) {
        if let Some(gateway) = self.lock().get_mut(id).and_then(Option::take) {
            gateway.task.abort();
        }
    }

    /// Closes all ports.
    pub fn stop_all(&self) {
        for gateway in self.lock().iter_mut().filter_map(Option::take) {
            gateway.task.abort();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Gateway>>> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
