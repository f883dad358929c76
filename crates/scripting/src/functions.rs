//! Libraries of functions: what is loaded, and who is called by which name.

use std::collections::BTreeMap;

use crate::Flags;
use crate::register::Registered;

/// A library.
#[derive(Clone)]
pub(crate) struct Library {
    /// Its text, first line included.
    pub(crate) code: Vec<u8>,
    pub(crate) functions: Vec<Registered>,
}

/// All libraries of a shard.
#[derive(Clone, Default)]
pub(crate) struct Functions {
    libraries: BTreeMap<Vec<u8>, Library>,
    /// Library and place in it of each function, by its name in lower case.
    by_name: BTreeMap<Vec<u8>, (Vec<u8>, usize)>,
}

/// A function as FUNCTION LIST shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its name.
    pub name: Vec<u8>,
    /// What its library says about it.
    pub description: Option<Vec<u8>>,
    /// Its flags.
    pub flags: Flags,
}

/// A library as FUNCTION LIST shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryFacts {
    /// Its name.
    pub name: Vec<u8>,
    /// Its text.
    pub code: Vec<u8>,
    /// Its functions.
    pub functions: Vec<FunctionFacts>,
}

impl Functions {
    pub(crate) fn has_library(&self, name: &[u8]) -> bool {
        self.libraries.contains_key(name)
    }

    pub(crate) fn library_count(&self) -> usize {
        self.libraries.len()
    }

    pub(crate) fn function_count(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&Registered> {
        let (library, at) = self.by_name.get(&name.to_ascii_lowercase())?;
        Some(&self.libraries[library].functions[*at])
    }

    /// The first of `functions` that a library other than `library` has.
    pub(crate) fn taken<'a>(
        &self,
        library: &[u8],
        functions: &'a [Registered],
    ) -> Option<&'a [u8]> {
        functions.iter().map(|function| function.name.as_slice()).find(|name| {
            self.by_name.get(&name.to_ascii_lowercase()).is_some_and(|(owner, _)| owner != library)
        })
    }

    /// Adds a library in the place of the one of that name.
    pub(crate) fn put(&mut self, name: &[u8], library: Library) {
        self.remove(name);
        for (at, function) in library.functions.iter().enumerate() {
            self.by_name.insert(function.name.to_ascii_lowercase(), (name.to_vec(), at));
        }
        self.libraries.insert(name.to_vec(), library);
    }

    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        for function in library.functions {
            self.by_name.remove(&function.name.to_ascii_lowercase());
        }
        true
    }

    pub(crate) fn facts(&self) -> Vec<LibraryFacts> {
        let facts = |(name, library): (&Vec<u8>, &Library)| LibraryFacts {
            name: name.clone(),
            code: library.code.clone(),
            functions: library
                .functions
                .iter()
                .map(|function| FunctionFacts {
                    name: function.name.clone(),
                    description: function.description.clone(),
                    flags: function.flags,
                })
                .collect(),
        };
        self.libraries.iter().map(facts).collect()
    }
}
