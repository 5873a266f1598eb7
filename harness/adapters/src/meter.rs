//! What processes of this machine have used, as the kernel tells it. Must not know whose they are.

use std::{fs, io, time::Duration};

use harness_core::ports::Cost;
use rustix::time::{ClockId, clock_gettime};

/// What this process has used, where the kernel tells.
pub fn own() -> Option<Cost> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let processor = Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    Some(Cost { processor, peak_memory: peak_memory("self").ok()? })
}

/// The most bytes of memory (resident set) that a process has had; `pid` as below `/proc`.
pub(crate) fn peak_memory(pid: &str) -> io::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let told = |kind, text: &str| io::Error::new(kind, format!("{path}: {text}"));
    let status = fs::read_to_string(&path).map_err(|error| told(error.kind(), &error.to_string()))?;
    of_status(&status).ok_or_else(|| told(io::ErrorKind::InvalidData, "no VmHWM"))
}

fn of_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        let status = "Name:\tloki\nVmPeak:\t 9 kB\nVmHWM:\t  123456 kB\nVmRSS:\t   1 kB\n";
        assert_eq!(of_status(status), Some(123_456 * 1024));
        for text in ["", "VmHWM:\t x kB", "VmHWM:\t 5"] {
            assert_eq!(of_status(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_process_has_used_something() {
        let cost = own().unwrap();
        assert!(!cost.processor.is_zero() && cost.peak_memory > 1 << 20);
        assert!(peak_memory("0").unwrap_err().to_string().contains("/proc/0/status"));
    }
}
