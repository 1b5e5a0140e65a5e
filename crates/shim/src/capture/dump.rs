//! Writes the minidump of a worker from what was read while it stood still.
//!
//! minidump-writer attaches by itself and finds no thread when its caller is the tracer already, and it reads the process as it
//! writes, so that the process would stand still for all of it. Its formats and writers are public though, and need no process.

use std::path::PathBuf;

use minidump_writer::maps_reader::MappingInfo;
use minidump_writer::mem_writer::{
    Buffer, MemoryArrayWriter, MemoryWriter, MemoryWriterError, write_string_to_location,
};
use minidump_writer::minidump_cpu::RawContextCPU;
use minidump_writer::minidump_format::format::{MemoryProtection, MemoryState, MemoryType};
use minidump_writer::minidump_format::{
    MD_HEADER_SIGNATURE, MD_HEADER_VERSION, MDCPUArchitecture, MDException, MDLocationDescriptor,
    MDMemoryDescriptor, MDMemoryInfo, MDMemoryInfoList, MDRawDirectory, MDRawExceptionStream, MDRawHeader,
    MDRawModule, MDRawThread, MDRawThreadName, MDStreamType, PlatformId, format,
};
use minidump_writer::thread_info::ThreadInfo;
use model::Timestamp;
use procfs_core::FromRead;
use procfs_core::process::{MMPermissions, MemoryMaps};

use super::mapped_files::{called, mapped_files};
use super::modules::build_id_of_file;
use super::snapshot::{Memory, Snapshot, ThreadState};
use super::{CaptureError, CrashedThread};

/// Writes the dump into memory. `maps` is the text of the process's memory map.
pub(super) fn write(
    crashed: &CrashedThread,
    snapshot: &Snapshot,
    maps: &[u8],
    captured_at: Timestamp,
) -> Result<Vec<u8>, CaptureError> {
    let mut dump = Dump { buffer: Buffer::with_capacity(2 << 20), streams: Vec::new(), blocks: Vec::new() };
    let stream_count = 12;
    let mut header = MemoryWriter::<MDRawHeader>::alloc(&mut dump.buffer).map_err(failed("header"))?;
    let mut directory = MemoryArrayWriter::<MDRawDirectory>::alloc_array(&mut dump.buffer, stream_count)
        .map_err(failed("directory"))?;
    dump.write_streams(crashed, snapshot, maps)?;
    let Dump { mut buffer, streams, .. } = dump;
    debug_assert_eq!(streams.len(), stream_count);
    for (index, stream) in streams.into_iter().take(stream_count).enumerate() {
        directory.set_value_at(&mut buffer, stream, index).map_err(failed("directory"))?;
    }
    let value = MDRawHeader {
        signature: MD_HEADER_SIGNATURE,
        version: MD_HEADER_VERSION,
        stream_count: u32::try_from(stream_count).unwrap_or(0),
        stream_directory_rva: directory.position,
        checksum: 0,
        time_date_stamp: u32::try_from(captured_at.as_ms() / 1_000).unwrap_or(0),
        flags: 0,
    };
    header.set_value(&mut buffer, value).map_err(failed("header"))?;
    Ok(buffer.into())
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

struct Dump {
    buffer: Buffer,
    streams: Vec<MDRawDirectory>,
    /// The pieces of memory that are in it.
    blocks: Vec<MDMemoryDescriptor>,
}

impl Dump {
    fn write_streams(
        &mut self,
        crashed: &CrashedThread,
        snapshot: &Snapshot,
        maps: &[u8],
    ) -> Result<(), CaptureError> {
        let map = MemoryMaps::from_read(maps).map_err(failed("memory map"))?;
        let context = self.threads(snapshot)?;
        self.modules(snapshot, &map)?;
        let blocks = std::mem::take(&mut self.blocks);
        self.add_list(MDStreamType::MemoryListStream, blocks.len(), |buffer| {
            Ok(MemoryArrayWriter::alloc_from_array(buffer, &blocks)?.location())
        })
        .map_err(failed("memory"))?;
        self.exception(crashed, context)?;
        self.system()?;
        self.memory_info(&map)?;
        self.thread_names(&snapshot.threads)?;
        // not the environment and not the arguments: they hold secrets, and no frame needs them
        for (content, kind) in [
            (&*snapshot.files.status, MDStreamType::LinuxProcStatus),
            (&snapshot.files.auxv, MDStreamType::LinuxAuxv),
            (maps, MDStreamType::LinuxMaps),
            (&snapshot.files.limits, MDStreamType::MozLinuxLimits),
        ] {
            let location = MemoryArrayWriter::<u8>::write_bytes(&mut self.buffer, content).location();
            self.add(kind, location);
        }
        // the format's end of the list
        self.streams.push(MDRawDirectory::default());
        Ok(())
    }

    fn add(&mut self, kind: MDStreamType, location: MDLocationDescriptor) {
        self.streams.push(MDRawDirectory { stream_type: kind as u32, location });
    }

    /// A stream that is the number of its entries, and the entries.
    fn add_list(
        &mut self,
        kind: MDStreamType,
        count: usize,
        entries: impl FnOnce(&mut Buffer) -> Result<MDLocationDescriptor, MemoryWriterError>,
    ) -> Result<(), MemoryWriterError> {
        let count = u32::try_from(count).unwrap_or(0);
        let mut location = MemoryWriter::alloc_with_val(&mut self.buffer, count)?.location();
        location.data_size += entries(&mut self.buffer)?.data_size;
        self.add(kind, location);
        Ok(())
    }

    /// All threads; where the crashing one's registers are, which is the first.
    fn threads(&mut self, snapshot: &Snapshot) -> Result<MDLocationDescriptor, CaptureError> {
        let mut crashed_context = MDLocationDescriptor::default();
        let mut list = Vec::with_capacity(snapshot.threads.len());
        for (index, thread) in snapshot.threads.iter().enumerate() {
            let stack = self.memory(&thread.stack);
            if index == 0 {
                self.memory(&snapshot.code);
            }
            let context = MemoryWriter::alloc_with_val(&mut self.buffer, context(thread))
                .map_err(failed("threads"))?
                .location();
            if index == 0 {
                crashed_context = context;
            }
            list.push(MDRawThread {
                thread_id: thread.tid.unsigned_abs(),
                suspend_count: 0,
                priority_class: 0,
                priority: 0,
                teb: 0,
                stack,
                thread_context: context,
            });
        }
        self.add_list(MDStreamType::ThreadListStream, list.len(), |buffer| {
            Ok(MemoryArrayWriter::alloc_from_iter(buffer, list)?.location())
        })
        .map_err(failed("threads"))?;
        Ok(crashed_context)
    }

    fn memory(&mut self, memory: &Memory) -> MDMemoryDescriptor {
        let location = MemoryArrayWriter::<u8>::write_bytes(&mut self.buffer, &memory.bytes).location();
        let block = MDMemoryDescriptor { start_of_memory_range: memory.start, memory: location };
        if !memory.bytes.is_empty() {
            self.blocks.push(block);
        }
        block
    }

    fn modules(&mut self, snapshot: &Snapshot, map: &MemoryMaps) -> Result<(), CaptureError> {
        let mapped = mapped_files(map, &snapshot.files.auxv).map_err(failed("modules"))?;
        let mut list = Vec::new();
        for mapping in mapped.iter().filter(|mapping| mapping.is_interesting()) {
            let start = mapping.start_address as u64;
            let known = snapshot.identities.iter().find(|identity| identity.start == start);
            let name = PathBuf::from(mapping.name.clone().unwrap_or_default());
            let from_memory = known.map(|identity| identity.build_id.clone()).filter(|id| !id.is_empty());
            let build_id = from_memory.unwrap_or_else(|| build_id_of_file(&name));
            // all zeroes say nothing either
            if build_id.iter().all(|byte| *byte == 0) {
                continue;
            }
            let name = called(name, mapping, known.and_then(|identity| identity.soname.as_deref()));
            list.push(self.module(mapping, &build_id, &name.to_string_lossy()).map_err(failed("modules"))?);
        }
        self.add_list(MDStreamType::ModuleListStream, list.len(), |buffer| {
            Ok(MemoryArrayWriter::alloc_from_iter(buffer, list)?.location())
        })
        .map_err(failed("modules"))
    }

    fn module(
        &mut self,
        mapping: &MappingInfo,
        build_id: &[u8],
        name: &str,
    ) -> Result<MDRawModule, MemoryWriterError> {
        let record = [&(format::CvSignature::Elf as u32).to_le_bytes(), build_id].concat();
        let cv_record = MemoryArrayWriter::<u8>::write_bytes(&mut self.buffer, &record).location();
        Ok(MDRawModule {
            base_of_image: mapping.start_address as u64,
            size_of_image: u32::try_from(mapping.size).unwrap_or(u32::MAX),
            cv_record,
            module_name_rva: write_string_to_location(&mut self.buffer, name)?.rva,
            ..Default::default()
        })
    }

    fn exception(
        &mut self,
        crashed: &CrashedThread,
        thread_context: MDLocationDescriptor,
    ) -> Result<(), CaptureError> {
        // raise, kill and abort have no address: their siginfo holds the sender there
        let is_fault = crashed.info.code > 0
            && matches!(
                crashed.info.signal,
                libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP
            );
        let stream = MDRawExceptionStream {
            thread_id: crashed.tid.unsigned_abs(),
            exception_record: MDException {
                exception_code: crashed.info.signal.cast_unsigned(),
                exception_flags: crashed.info.code.cast_unsigned(),
                exception_address: if is_fault { crashed.info.address } else { crashed.registers.rip },
                ..Default::default()
            },
            __align: 0,
            thread_context,
        };
        let stream =
            MemoryWriter::alloc_with_val(&mut self.buffer, stream).map_err(failed("exception"))?.location();
        self.add(MDStreamType::ExceptionStream, stream);
        Ok(())
    }

    /// `MINIDUMP_SYSTEM_INFO`, whose union has no safe constructor: byte by byte.
    fn system(&mut self) -> Result<(), CaptureError> {
        const SIZE: usize = 56;
        const PROCESSORS_AT: usize = 6;
        const PLATFORM_AT: usize = 20;
        const VERSION_AT: usize = 24;
        let version = std::fs::read_to_string("/proc/version").unwrap_or_default();
        let version =
            write_string_to_location(&mut self.buffer, version.trim()).map_err(failed("system"))?.rva;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut info = [0; SIZE];
        let architecture = MDCPUArchitecture::PROCESSOR_ARCHITECTURE_AMD64 as u16;
        info[..2].copy_from_slice(&architecture.to_le_bytes());
        info[PROCESSORS_AT] = u8::try_from(processors).unwrap_or(u8::MAX);
        info[PLATFORM_AT..VERSION_AT].copy_from_slice(&(PlatformId::Linux as u32).to_le_bytes());
        info[VERSION_AT..VERSION_AT + 4].copy_from_slice(&version.to_le_bytes());
        let location = MemoryArrayWriter::<u8>::write_bytes(&mut self.buffer, &info).location();
        self.add(MDStreamType::SystemInfoStream, location);
        Ok(())
    }

    fn memory_info(&mut self, map: &MemoryMaps) -> Result<(), CaptureError> {
        let header = MDMemoryInfoList {
            size_of_header: u32::try_from(size_of::<MDMemoryInfoList>()).unwrap_or(0),
            size_of_entry: u32::try_from(size_of::<MDMemoryInfo>()).unwrap_or(0),
            number_of_entries: map.0.len() as u64,
        };
        let mut location =
            MemoryWriter::alloc_with_val(&mut self.buffer, header).map_err(failed("memory map"))?.location();
        let entries = map.0.iter().map(|area| {
            let protection = protection(area.perms).bits();
            let is_private = area.perms.contains(MMPermissions::PRIVATE);
            let kind = if is_private { MemoryType::MEM_PRIVATE } else { MemoryType::MEM_MAPPED };
            MDMemoryInfo {
                base_address: area.address.0,
                allocation_base: area.address.0,
                allocation_protection: protection,
                __alignment1: 0,
                region_size: area.address.1 - area.address.0,
                state: MemoryState::MEM_COMMIT.bits(),
                protection,
                _type: kind.bits(),
                __alignment2: 0,
            }
        });
        let entries =
            MemoryArrayWriter::alloc_from_iter(&mut self.buffer, entries).map_err(failed("memory map"))?;
        location.data_size += entries.location().data_size;
        self.add(MDStreamType::MemoryInfoListStream, location);
        Ok(())
    }

    fn thread_names(&mut self, threads: &[ThreadState]) -> Result<(), CaptureError> {
        let mut list = Vec::new();
        for thread in threads {
            let Some(name) = &thread.name else { continue };
            let name = write_string_to_location(&mut self.buffer, name).map_err(failed("thread names"))?;
            list.push(MDRawThreadName {
                thread_id: thread.tid.unsigned_abs(),
                thread_name_rva: name.rva.into(),
            });
        }
        self.add_list(MDStreamType::ThreadNamesStream, list.len(), |buffer| {
            Ok(MemoryArrayWriter::alloc_from_iter(buffer, list)?.location())
        })
        .map_err(failed("thread names"))
    }
}

fn context(thread: &ThreadState) -> RawContextCPU {
    let mut context = RawContextCPU::default();
    let info = ThreadInfo {
        stack_pointer: usize::try_from(thread.registers.rsp).unwrap_or(0),
        tgid: 0,
        ppid: 0,
        regs: thread.registers,
        fpregs: thread.float_registers,
        dregs: Default::default(),
    };
    info.fill_cpu_context(&mut context);
    context
}

fn protection(permissions: MMPermissions) -> MemoryProtection {
    let has = |permission| permissions.contains(permission);
    match (has(MMPermissions::READ), has(MMPermissions::WRITE), has(MMPermissions::EXECUTE)) {
        (false, false, false) => MemoryProtection::PAGE_NOACCESS,
        (false, false, true) => MemoryProtection::PAGE_EXECUTE,
        (true, false, false) => MemoryProtection::PAGE_READONLY,
        (true, false, true) => MemoryProtection::PAGE_EXECUTE_READ,
        // the format has no memory that can be written and not read
        (_, true, false) => MemoryProtection::PAGE_READWRITE,
        (_, true, true) => MemoryProtection::PAGE_EXECUTE_READWRITE,
    }
}
