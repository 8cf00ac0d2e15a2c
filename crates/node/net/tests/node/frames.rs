//! Frames made by hand, sent past every rule of the task's own kernel, and sniffers that see whether one arrives
//! where it must not. Each frame carries a word that names the trick.

#![allow(unreachable_pub)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};

use crate::support::*;

/// Begins the word in each frame.
const MARK: &[u8] = b"HOSTILE<";

pub type Mac = [u8; 6];
pub const EVERYONE: Mac = [0xff; 6];

/// The word that names a trick, to be put in a frame.
pub fn word(trick: &str) -> Vec<u8> {
    let mut word = MARK.to_vec();
    word.extend_from_slice(trick.as_bytes());
    word.push(b'>');
    word
}

pub fn ethernet(from: Mac, to: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [to, from].concat();
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let pair = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    let mut sum: u32 = bytes.chunks(2).map(pair).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An IPv4 packet; `fragment` is the field of flags and offset.
pub fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    header.extend_from_slice(&[0x12, 0x34]);
    header.extend_from_slice(&fragment.to_be_bytes());
    header.extend_from_slice(&[64, protocol, 0, 0]);
    header.extend_from_slice(&from.octets());
    header.extend_from_slice(&to.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    header.extend_from_slice(payload);
    header
}

/// A UDP datagram without a checksum, which IPv4 allows.
pub fn udp_to(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let head = [from, to, length, 0].map(u16::to_be_bytes);
    [head.concat(), payload.to_vec()].concat()
}

/// An ICMP message of `kind` and `code`.
pub fn icmp(kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], &rest[..], payload].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    message
}

/// `operation` is 1 for a question and 2 for an answer.
pub fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr), trick: &str) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4];
    message.extend_from_slice(&operation.to_be_bytes());
    for (mac, ip) in [sender, target] {
        message.extend_from_slice(&mac);
        message.extend_from_slice(&ip.octets());
    }
    // Padding, which nobody reads.
    message.extend_from_slice(&word(trick));
    message
}

/// A raw socket on one device of `ns`, or on all.
fn raw(ns: &str, device: Option<&str>) -> OwnedFd {
    inside(ns, || {
        let fd = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
        .unwrap();
        if let Some(device) = device {
            let address = address_of(device);
            bind(fd.as_raw_fd(), &address).unwrap();
        }
        let patience = nix::sys::time::TimeVal::new(0, 50_000);
        setsockopt(&fd, sockopt::ReceiveTimeout, &patience).unwrap();
        fd
    })
}

fn address_of(device: &str) -> LinkAddr {
    let mut all = nix::ifaddrs::getifaddrs().unwrap();
    let own = all.find_map(|one| {
        let link = *one.address?.as_link_addr()?;
        (one.interface_name == device).then_some(link)
    });
    own.unwrap_or_else(|| panic!("no device {device}"))
}

/// The hardware address of a device.
pub fn mac_of(ns: &str, device: &str) -> Mac {
    inside(ns, || address_of(device).addr().unwrap())
}

/// Sends a frame from a device, past whatever the namespace's kernel would do with it.
pub fn inject(ns: &str, device: &str, frame: &[u8]) {
    let fd = raw(ns, Some(device));
    // Short frames are padded, as a network card would.
    let mut frame = frame.to_vec();
    frame.resize(frame.len().max(60), 0);
    // A device that is down or too small for it takes nothing; then nothing arrives either.
    let _ = send(fd.as_raw_fd(), &frame, MsgFlags::empty());
}

/// Watches everything that a namespace, or one device of it, receives.
pub struct Sniffer {
    seen: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sniffer {
    pub fn on(ns: &str, device: Option<&str>) -> Self {
        let fd = raw(ns, device);
        let (seen, stop) = (
            Arc::new(Mutex::new(BTreeSet::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen_too, stop_too) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !stop_too.load(Ordering::Relaxed) {
                let Ok(length) = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) else {
                    continue;
                };
                if let Some(trick) = trick_in(&buffer[..length]) {
                    seen_too.lock().unwrap().insert(trick);
                }
            }
        });
        Self {
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// Tricks whose frames arrived.
    pub fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn trick_in(frame: &[u8]) -> Option<String> {
    let at = frame.windows(MARK.len()).position(|part| part == MARK)?;
    let rest = &frame[at + MARK.len()..];
    let end = rest.iter().position(|byte| *byte == b'>')?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}
