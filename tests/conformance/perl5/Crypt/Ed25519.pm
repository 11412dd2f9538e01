package Crypt::Ed25519;

# Stands in for the CPAN module of this name: gives the part of its API that
# SyTest uses, on top of CryptX's Crypt::PK::Ed25519 (Debian: libcryptx-perl).

use strict;
use warnings;

our $VERSION = '1.05';

use Crypt::PK::Ed25519;
use Crypt::PRNG qw( random_bytes );
use Exporter 'import';

our @EXPORT_OK = qw( eddsa_secret_key eddsa_public_key eddsa_sign eddsa_verify
                     eddsa_verify_croak verify verify_croak );
our %EXPORT_TAGS = ( all => \@EXPORT_OK );

my %priv_cache;

sub _priv
{
   my ( $seed ) = @_;
   length( $seed ) == 32 or die "Crypt::Ed25519: secret key must be 32 bytes";
   return $priv_cache{$seed} //= Crypt::PK::Ed25519->new->import_key_raw( $seed, 'private' );
}

sub eddsa_secret_key { return random_bytes( 32 ) }

sub eddsa_public_key
{
   my ( $seed ) = @_;
   return _priv( $seed )->export_key_raw( 'public' );
}

# (message, public, secret)
sub eddsa_sign
{
   my ( $message, undef, $seed ) = @_;
   return _priv( $seed )->sign_message( $message );
}

# (message, public, signature)
sub verify
{
   my ( $message, $public, $signature ) = @_;
   length( $public ) == 32    or die "Crypt::Ed25519: public key must be 32 bytes";
   length( $signature ) >= 64 or die "Crypt::Ed25519: signature must be 64 bytes";
   return Crypt::PK::Ed25519->new->import_key_raw( $public, 'public' )
      ->verify_message( substr( $signature, 0, 64 ), $message ) ? 1 : 0;
}

sub verify_croak { verify( @_ ) or do { require Carp; Carp::croak( "Ed25519 signature check failed" ) } }

*eddsa_verify       = \&verify;
*eddsa_verify_croak = \&verify_croak;

1;
