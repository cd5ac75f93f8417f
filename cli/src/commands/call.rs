//! `call`: calls a method of a canister over its backup. Queries leave nothing; updates run on a scratch
//! copy, which can be kept as a new backup. Needs no network; the backup stays as it is.

use crate::args::NetworkArgs;
use crate::commands::read_file;
use crate::error::CliError;
use crate::limits::REPLY_DECODED_MAX_BYTES;
use crate::offline_patient::{
    Left, PatientArgs, RulesArgs, SurroundingsArgs, beside, engine, keep, open, progress,
};
use crate::output::{Event, Output, human_bytes};
use crate::report::OfflineEvent;
use clap::{Args, ValueEnum};
use offline::call::{call_and_keep, kind};
use offline::save::check_target;
use offline::{Interface, interface, json};
use serde_json::Value;
use std::path::PathBuf;

/// Options of `call`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue call backup/ numbers '(0, 3)'\n  ic-rescue call backup/ notes '(null, 100)' --output json --output-file notes.json\n  ic-rescue call backup/ --module deployed.wasm push '(vec {1; 2; 3})' --caller bkyz2-fmaaa-aaaaa-qaaaq-cai -o pushed/\n\nSee docs/OFFLINE.md for the JSON form of candid values."
)]
pub struct CallArgs {
    /// The backup and its module.
    #[command(flatten)]
    pub patient: PatientArgs,
    /// The method.
    pub method: String,
    /// Its argument, candid text.
    #[arg(default_value = "()")]
    pub argument: String,
    /// File with the argument's candid bytes, instead of text.
    #[arg(long, value_name = "FILE", conflicts_with = "argument")]
    pub arg_file: Option<PathBuf>,
    /// The candid interface. Without it: the one that the module carries.
    #[arg(long, value_name = "FILE")]
    pub candid: Option<PathBuf>,
    /// The form of the reply.
    #[arg(long, value_enum, default_value = "candid", value_name = "FORM")]
    pub output: Form,
    /// Write the reply to a file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// For updates: keep what the method leaves, as a new backup.
    #[arg(short = 'o', long, value_name = "NEWDIR")]
    pub keep: Option<PathBuf>,
    /// Rules that are relaxed.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// What the code sees of the world.
    #[command(flatten)]
    pub surroundings: SurroundingsArgs,
}

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Candid text.
    Candid,
    /// JSON.
    Json,
    /// The bytes as hexadecimal digits.
    Hex,
    /// The bytes.
    Raw,
}

/// Runs the verb.
///
/// # Errors
/// When the method is not there, fails, or cannot be answered off chain.
pub async fn execute(
    args: &CallArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let (args, network, output) = (args.clone(), network.clone(), output.clone());
    beside(move || compute(&args, &network, &output)).await
}

fn compute(args: &CallArgs, network: &NetworkArgs, output: &Output) -> Result<u8, CliError> {
    let (rules, surroundings) = (args.rules.parse()?, args.surroundings.parse()?);
    if let Some(target) = &args.keep {
        check_target(target)?;
    }
    let engine = engine();
    let patient = open(&args.patient, network, &engine, output)?;
    let module = &patient.state.module;
    let interface = match &args.candid {
        Some(path) => Some(Interface::of_file(path)?),
        None => Interface::of_module(module)?,
    };
    // An interface that leaves the method out tells nothing about it.
    let known = interface
        .as_ref()
        .filter(|known| known.method(&args.method).is_ok());
    let kind = kind(module, &args.method)?;
    let argument = match &args.arg_file {
        Some(path) => read_file(path)?,
        None => interface::encode(known, &args.method, &args.argument)?,
    };
    let (ran, reply) = call_and_keep(
        &engine,
        &patient,
        (&args.method, argument),
        (&surroundings, &rules),
        Some(progress(&args.method, output)),
    )?;
    for line in &ran.logs {
        output.detail(format!("log: {line}"));
    }
    let (bytes, value) = rendered(args, known, &reply)?;
    if let Some(path) = &args.output_file {
        std::fs::write(path, &bytes).map_err(|source| {
            CliError::Offline(offline::OfflineError::Write {
                path: path.clone(),
                source,
            })
        })?;
    }
    output.say(&Event::Offline(OfflineEvent::Answered {
        method: args.method.clone(),
        kind: kind.as_str(),
        instructions: ran.provenance.instructions,
        reply_bytes: reply.len() as u64,
        reply: if args.output_file.is_some() {
            Value::Null
        } else {
            value
        },
        file: args
            .output_file
            .as_ref()
            .map(|path| path.display().to_string()),
    }));
    if args.output_file.is_none() {
        output.product(&bytes)?;
    }
    if let Some(target) = &args.keep {
        let left = Left {
            patient: &patient,
            ran: &ran,
            stable: &ran.state.stable,
            with_heap: true,
        };
        keep(target, &left, output)?;
    }
    Ok(0)
}

/// The reply in the form that was asked for, as bytes of a file and as JSON.
fn rendered(
    args: &CallArgs,
    known: Option<&Interface>,
    reply: &[u8],
) -> Result<(Vec<u8>, Value), CliError> {
    let decodes = matches!(args.output, Form::Candid | Form::Json);
    if decodes && reply.len() > REPLY_DECODED_MAX_BYTES {
        return Err(CliError::Unsupported {
            what: format!(
                "the reply has {}, at most {} are decoded: take its bytes with --output raw \
                 --output-file FILE, or ask for less at a time",
                human_bytes(reply.len() as u64),
                human_bytes(REPLY_DECODED_MAX_BYTES as u64)
            ),
        });
    }
    let values = || interface::decode(known, &args.method, reply);
    Ok(match args.output {
        Form::Candid => {
            let text = values()?.to_string();
            (format!("{text}\n").into_bytes(), Value::String(text))
        }
        Form::Json => {
            let value = json::of_reply(&values()?);
            (format!("{value:#}\n").into_bytes(), value)
        }
        Form::Hex => {
            let text = hex::encode(reply);
            (format!("{text}\n").into_bytes(), Value::String(text))
        }
        Form::Raw => (reply.to_vec(), Value::String(hex::encode(reply))),
    })
}
