//! Writes the minidump of a process whose threads this thread has stopped.
//!
//! minidump-writer attaches by itself and finds no thread when its caller is the tracer already. Its stream writers are public
//! though and need no more than stopped threads, so they are called one by one with ours.

use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use error_graph::strategy::DontCare;
use minidump_writer::CrashContextExt;
use minidump_writer::crash_context::CrashContext;
use minidump_writer::dir_section::{DirSection, DumpBuf};
use minidump_writer::maps_reader::MappingInfo;
use minidump_writer::mem_writer::{Buffer, MemoryArrayWriter, MemoryWriter};
use minidump_writer::minidump_format::{
    MD_HEADER_SIGNATURE, MD_HEADER_VERSION, MDRawDirectory, MDRawHeader, MDStreamType,
};
use minidump_writer::minidump_writer::{MinidumpWriter, MinidumpWriterConfig, Thread, systeminfo_stream};
use model::Timestamp;

use super::{CaptureError, CrashedThread};
use crate::sys::Pid;
use crate::sys::memory::read_process;
use crate::sys::ptrace;

/// How much of the crashing thread's stack is kept: the whole of what unwinding needs, but not the 8 MiB of an overflow.
const CRASHED_STACK_BYTES: usize = 512 << 10;

/// How much of each other thread's stack is kept. Go's lie in its heap, where a stack has no end that could be seen.
const OTHER_STACK_BYTES: usize = 64 << 10;

/// How many threads' stacks are kept; threads beyond have their registers alone.
const STACKS_KEPT: usize = 1_024;

/// Writes the dump into memory.
pub(super) fn write(
    pid: Pid,
    crashed: &CrashedThread,
    threads: &[Pid],
    captured_at: Timestamp,
) -> Result<Vec<u8>, CaptureError> {
    let mut config = MinidumpWriterConfig::new(pid, crashed.tid);
    // the threads are stopped already; its own way of stopping them cannot work beside a tracer
    config.stop_timeout(Duration::ZERO);
    config.set_crash_context(crash_context(pid, crashed)?);
    let mut writer = config.build_for_testing(DontCare).map_err(failed("preparation"))?;
    writer.threads = threads.iter().map(|tid| Thread { tid: *tid, name: thread_name(pid, *tid) }).collect();
    let bytes = write_streams(&mut writer, pid, crashed, captured_at);
    // its end would let go of the threads, which are ours
    writer.threads.clear();
    bytes
}

fn failed<E: std::error::Error>(part: &'static str) -> impl Fn(E) -> CaptureError {
    move |error| {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            reason = format!("{reason}: {next}");
            cause = next.source();
        }
        CaptureError::Write { part, reason }
    }
}

fn thread_name(pid: Pid, tid: Pid) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

fn write_streams(
    writer: &mut MinidumpWriter,
    pid: Pid,
    crashed: &CrashedThread,
    captured_at: Timestamp,
) -> Result<Vec<u8>, CaptureError> {
    const FILES: [(&str, MDStreamType); 4] = [
        ("status", MDStreamType::LinuxProcStatus),
        ("auxv", MDStreamType::LinuxAuxv),
        ("maps", MDStreamType::LinuxMaps),
        ("limits", MDStreamType::MozLinuxLimits),
    ];
    let mut buffer = Buffer::with_capacity(2 << 20);
    let mut nowhere = Nowhere::default();
    let stream_count = 7 + 1 + u32::try_from(FILES.len()).unwrap_or(0);
    let mut header = MemoryWriter::<MDRawHeader>::alloc(&mut buffer).map_err(failed("header"))?;
    let mut directory =
        DirSection::new(&mut buffer, stream_count, &mut nowhere).map_err(failed("directory"))?;
    let seconds = u32::try_from(captured_at.as_ms() / 1_000).unwrap_or(0);
    let value = MDRawHeader {
        signature: MD_HEADER_SIGNATURE,
        version: MD_HEADER_VERSION,
        stream_count,
        stream_directory_rva: directory.position(),
        checksum: 0,
        time_date_stamp: seconds,
        flags: 0,
    };
    header.set_value(&mut buffer, value).map_err(failed("header"))?;
    let mut put = |buffer: &mut DumpBuf, entry: MDRawDirectory| {
        directory.write_to_file(buffer, Some(entry)).map_err(failed("directory"))
    };

    let mappings = writer.mappings.clone();
    writer.mappings = short_stacks(writer, pid, crashed);
    let threads = writer.write_thread_list_stream(&mut buffer).map_err(failed("threads"))?;
    put(&mut buffer, threads)?;
    writer.mappings = join_split_modules(&mappings);
    let modules = writer.write_mappings(&mut buffer).map_err(failed("modules"))?;
    put(&mut buffer, modules)?;
    let memory = writer.write_memory_list_stream(&mut buffer).map_err(failed("memory"))?;
    put(&mut buffer, memory)?;
    let exception = writer.write_exception_stream(&mut buffer).map_err(failed("exception"))?;
    put(&mut buffer, exception)?;
    let system = systeminfo_stream::write(&writer.process_inspector, &mut buffer, DontCare)
        .map_err(failed("system"))?;
    put(&mut buffer, system)?;
    let memory_info = writer.write_memory_info_list_stream(&mut buffer).map_err(failed("memory map"))?;
    put(&mut buffer, memory_info)?;
    let names = writer.write_thread_names_stream(&mut buffer).map_err(failed("thread names"))?;
    put(&mut buffer, names)?;
    // not the environment and not the arguments: they hold secrets, and no frame needs them
    for (name, kind) in FILES {
        let content = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let location = MemoryArrayWriter::<u8>::write_bytes(&mut buffer, &content).location();
        put(&mut buffer, MDRawDirectory { stream_type: kind as u32, location })?;
    }
    put(&mut buffer, MDRawDirectory::default())?;
    Ok(buffer.into())
}

/// The mappings that the thread list is written with: nothing but the readable beginning of each stack, since the writer copies
/// from the stack pointer to the end of its mapping and gives up on everything when one byte cannot be read.
fn short_stacks(writer: &MinidumpWriter, pid: Pid, crashed: &CrashedThread) -> Vec<MappingInfo> {
    let mut short = Vec::new();
    for thread in writer
        .threads
        .iter()
        .filter(|thread| thread.tid == crashed.tid)
        .chain(writer.threads.iter().filter(|thread| thread.tid != crashed.tid).take(STACKS_KEPT))
    {
        let (pointer, limit) = if thread.tid == crashed.tid {
            (Some(crashed.registers.rsp), CRASHED_STACK_BYTES)
        } else {
            (ptrace::registers(thread.tid).ok().map(|registers| registers.rsp), OTHER_STACK_BYTES)
        };
        let Some(pointer) = pointer.and_then(|pointer| usize::try_from(pointer).ok()) else { continue };
        let Ok((start, length)) = writer.get_stack_info(pointer) else { continue };
        let length = readable(pid, start, length.min(limit));
        if let Some(mapping) = writer.find_mapping(start).filter(|_| length > 0) {
            short.push(cut(mapping, start, length));
        }
    }
    // the code around the instruction pointer is copied too
    if let Ok(pointer) = usize::try_from(crashed.registers.rip)
        && let Some(mapping) = writer.find_mapping(pointer)
    {
        let start = mapping.start_address.max(pointer.saturating_sub(128));
        let length = mapping.end_address().min(pointer.saturating_add(128)) - start;
        if readable(pid, start, length) == length {
            short.push(cut(mapping, start, length));
        }
    }
    short
}

fn cut(mapping: &MappingInfo, start: usize, length: usize) -> MappingInfo {
    MappingInfo { start_address: start, size: length, ..mapping.clone() }
}

/// How many of these bytes can be read: all, whole pages from the start, or none.
fn readable(pid: Pid, start: usize, length: usize) -> usize {
    const PAGE: usize = 4_096;
    let can_read = |address: usize| {
        u64::try_from(address).is_ok_and(|address| read_process(pid, address, &mut [0]).is_ok())
    };
    let Some(last) = length.checked_sub(1) else { return 0 };
    if can_read(start) && can_read(start + last) {
        return length;
    }
    let mut good = 0;
    while good < length && can_read(start + good) {
        good = (good + PAGE - (start + good) % PAGE).min(length);
    }
    good
}

/// One module per file: an executable that was linked with gaps between its segments is listed in pieces, the later ones with
/// a base that no symbol table knows.
fn join_split_modules(mappings: &[MappingInfo]) -> Vec<MappingInfo> {
    let main = mappings.first().map(|mapping| mapping.start_address);
    let mut sorted = mappings.to_vec();
    sorted.sort_by_key(|mapping| mapping.start_address);
    let mut joined: Vec<MappingInfo> = Vec::with_capacity(sorted.len());
    let mut last_offset = 0;
    for mapping in sorted {
        let offset = mapping.offset;
        match joined.last_mut() {
            Some(module) if continues(module, last_offset, &mapping) => {
                module.size = mapping.end_address() - module.start_address;
                module.system_mapping_info.end_address = mapping.system_mapping_info.end_address;
                module.permissions |= mapping.permissions;
            }
            _ => joined.push(mapping),
        }
        last_offset = offset;
    }
    // the format takes the first module for the program's own
    if let Some(main) = main
        && let Some(at) =
            joined.iter().position(|module| (module.start_address..module.end_address()).contains(&main))
    {
        joined.swap(0, at);
    }
    joined
}

fn continues(module: &MappingInfo, last_offset: usize, mapping: &MappingInfo) -> bool {
    module.name_is_path()
        && module.name == mapping.name
        && mapping.offset > last_offset
        && mapping.start_address - module.start_address < 1 << 31
}

fn crash_context(pid: Pid, crashed: &CrashedThread) -> Result<CrashContextExt, CaptureError> {
    let unfit = || CaptureError::Write { part: "context", reason: "the format has another size".to_owned() };
    // its private fields have no other constructor
    let mut bytes = vec![0; size_of::<CrashContext>()];
    let float_at = std::mem::offset_of!(CrashContext, float_state);
    bytes
        .get_mut(float_at..float_at + crashed.float_registers.len())
        .ok_or_else(unfit)?
        .copy_from_slice(&crashed.float_registers);
    let mut context = CrashContext::from_bytes(&bytes).ok_or_else(unfit)?;
    context.pid = pid;
    context.tid = crashed.tid;
    let from = &crashed.registers;
    // the order of `REG_…` in ucontext.h
    let gregs = [
        from.r8,
        from.r9,
        from.r10,
        from.r11,
        from.r12,
        from.r13,
        from.r14,
        from.r15,
        from.rdi,
        from.rsi,
        from.rbp,
        from.rbx,
        from.rdx,
        from.rax,
        from.rcx,
        from.rsp,
        from.rip,
        from.eflags,
        (from.cs & 0xffff) | (from.gs & 0xffff) << 16 | (from.fs & 0xffff) << 32,
    ];
    for (slot, value) in context.context.uc_mcontext.gregs.iter_mut().zip(gregs) {
        *slot = value.cast_signed();
    }
    context.siginfo.ssi_signo = crashed.info.signal.cast_unsigned();
    context.siginfo.ssi_code = crashed.info.code;
    context.siginfo.ssi_errno = crashed.info.errno;
    // raise, kill and abort have no address: their siginfo holds the sender there
    let is_fault = crashed.info.code > 0
        && matches!(
            crashed.info.signal,
            libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP
        );
    context.siginfo.ssi_addr = if is_fault { crashed.info.address } else { crashed.registers.rip };
    Ok(CrashContextExt { inner: context })
}

/// The directory wants a file to write into beside the buffer that is the dump.
#[derive(Default)]
struct Nowhere {
    position: u64,
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(offset) => self.position.saturating_add_signed(offset),
            SeekFrom::End(_) => self.position,
        };
        Ok(self.position)
    }
}
