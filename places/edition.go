package places

// Edition is what a Book tells places from at one moment: as long as it is
// the same, so is the answer of Lookup.
type Edition struct {
	named *named
	files *[]*file
}

// Edition returns the present one.
func (b *Book) Edition() Edition { return Edition{b.named.Load(), b.files.Load()} }
